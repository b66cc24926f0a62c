//! How a boot ended, as far as anyone outside can tell.
use std::process::ExitStatus;

use crate::{
    Emulator, Error,
    transcript::{TraceRecord, Transcript},
};

/// QEMU's exit code when the machine writes 10h to the port of isa-debug-exit: the story was told.
pub const EXIT_TOLD: i32 = 0x10 << 1 | 1;
/// The same for 11h: the machine stopped with a reason.
pub const EXIT_STOPPED: i32 = 0x11 << 1 | 1;

/// How a boot ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The right tokens to the end, and success.
    Told,
    /// A sentence that says why not, and no success.
    Stopped(String),
    /// The boot sector's `!` and letter.
    Letter(char),
    /// Neither success nor a reason: hung, reset, or nothing that could be booted.
    Dead(String),
    /// Success with other tokens, or failure with the right ones: what must never happen.
    Silent(String),
}

/// Waits for the end of a machine that was told to switch itself off, and judges it by the tokens
/// that it should have chosen.
///
/// # Errors
/// Where the emulator cannot be watched. That a machine hangs is an outcome, not an error.
pub fn judge<E: Emulator>(machine: &mut E, expected: &[TraceRecord]) -> Result<Outcome, Error> {
    let (status, log) = match machine.wait_for_end() {
        Ok((status, log)) => (Some(status), log),
        Err(Error::TimedOut { .. }) => (None, machine.serial()?),
        Err(error) => return Err(error),
    };
    let transcript = Transcript::parse(&log);
    let outcome = judge_log(status, &transcript, expected);
    // The boot sector has no serial port: its letter stands on the screen.
    if status.is_none() && matches!(outcome, Outcome::Dead(_)) && transcript.text.is_empty() {
        let screen = machine.freeze()?.screen.text();
        if let Some(letter) = letter(&screen) {
            return Ok(Outcome::Letter(letter));
        }
        return Ok(Outcome::Dead(screen.trim().to_owned()));
    }
    Ok(outcome)
}

fn judge_log(status: Option<ExitStatus>, transcript: &Transcript, expected: &[TraceRecord]) -> Outcome {
    let right = transcript.trace == expected;
    match (status.and_then(|status| status.code()), transcript.reason()) {
        (Some(EXIT_TOLD), _) if right => Outcome::Told,
        (Some(EXIT_TOLD), _) => Outcome::Silent(transcript.text.clone()),
        // A reason is good wherever it comes, also when the machine then waits for ever.
        (Some(EXIT_STOPPED) | None, Some(reason)) => Outcome::Stopped(reason.to_owned()),
        _ => Outcome::Dead(transcript.text.clone()),
    }
}

/// The letter behind a `!` that ends what is on the screen.
fn letter(screen: &str) -> Option<char> {
    let (_, letter) = screen.trim_end().rsplit_once('!')?;
    let mut characters = letter.chars();
    characters.next().filter(|c| c.is_ascii_uppercase() && characters.next().is_none())
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;

    use super::*;

    const RIGHT: TraceRecord = TraceRecord { position: 0, next: 403, crc: 1 };

    fn ended(code: i32, log: &str) -> Outcome {
        let status = ExitStatus::from_raw(code << 8);
        judge_log(Some(status), &Transcript::parse(log.as_bytes()), &[RIGHT])
    }

    #[test]
    fn only_the_right_tokens_are_a_told_story() {
        assert_eq!(ended(33, "Once\n~ 0 403 00000001\n"), Outcome::Told);
        assert!(matches!(ended(33, "Once\n~ 0 404 00000001\n"), Outcome::Silent(_)));
        assert!(matches!(ended(33, "Once\n~ 0 403 00000002\n"), Outcome::Silent(_)));
        assert!(matches!(ended(33, "Once"), Outcome::Silent(_)));
        assert!(matches!(ended(33, "\n~ 0 403 00000001\n\n~ 1 2 00000001\n"), Outcome::Silent(_)));
    }

    #[test]
    fn a_stop_needs_a_reason() {
        let reason = "unreallm: the model's CRC is 1 and should be 2";
        assert_eq!(ended(35, &format!("x\n{reason}\n")), Outcome::Stopped(reason.into()));
        assert!(matches!(ended(35, "Once upon"), Outcome::Dead(_)));
        assert!(matches!(ended(0, reason), Outcome::Dead(_)), "a reset is no stop");
    }

    #[test]
    fn the_letter_is_the_last_thing_on_the_screen() {
        assert_eq!(letter("SeaBIOS\nBooting...\n!R\n\n"), Some('R'));
        assert_eq!(letter("Hello! World"), None);
        assert_eq!(letter("nothing"), None);
    }
}
