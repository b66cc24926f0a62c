//! How a boot ended, as far as anyone outside can tell.
use std::{
    process::ExitStatus,
    thread::sleep,
    time::{Duration, Instant},
};

use protocol::trace::TraceRecord;

use crate::{Emulator, Error, process::POLL, transcript::Transcript};

/// QEMU's exit code when the machine writes 10h to the port of isa-debug-exit: the story was told.
pub const EXIT_TOLD: i32 = 0x10 << 1 | 1;
/// The same for 11h: the machine stopped with a reason.
pub const EXIT_STOPPED: i32 = 0x11 << 1 | 1;

/// How long a machine that gave its reason may take to switch itself off.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// How a boot ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The right tokens to the end, and success.
    Told,
    /// A sentence that says why not, and no success.
    Stopped {
        /// The sentence.
        reason: String,
        /// Whether the machine then switched itself off, or waits for ever.
        off: bool,
    },
    /// The boot sector's `!` and letter.
    Letter(char),
    /// Neither success nor a reason: hung, reset, or nothing that could be booted.
    Dead(String),
    /// Success with other tokens: what must never happen.
    Silent(String),
}

/// Waits for the end of a machine that was told to switch itself off, and judges it by the tokens
/// that it should have chosen.
///
/// # Errors
/// Where the emulator cannot be watched. That a machine hangs is an outcome, not an error.
pub fn judge<E: Emulator>(machine: &mut E, expected: &[TraceRecord]) -> Result<Outcome, Error> {
    let (status, log) = end(machine)?;
    let transcript = Transcript::parse(&log);
    let outcome = judge_log(status, &transcript, expected);
    // The boot sector has no serial port: its letter stands on the screen.
    if status.is_none() && matches!(outcome, Outcome::Dead(_)) {
        let screen = machine.freeze()?.screen.text();
        return Ok(match letter(&screen) {
            Some(letter) => Outcome::Letter(letter),
            None => Outcome::Dead(screen.trim().to_owned()),
        });
    }
    Ok(outcome)
}

/// The exit status and the log of a machine that ends, has given its reason, or whose time is up.
fn end(machine: &mut impl Emulator) -> Result<(Option<ExitStatus>, Vec<u8>), Error> {
    let mut spoken: Option<Instant> = None;
    loop {
        if machine.process().status()?.is_some() {
            let (status, log) = machine.wait_for_end()?;
            return Ok((Some(status), log));
        }
        let log = machine.serial()?;
        if spoken.is_none() && Transcript::parse(&log).reason().is_some() {
            spoken = Some(Instant::now());
        }
        let silent = machine.process().age() > machine.process().limit();
        if silent || spoken.is_some_and(|spoken| spoken.elapsed() > LAST_WORDS) {
            return Ok((None, log));
        }
        sleep(POLL);
    }
}

fn judge_log(status: Option<ExitStatus>, transcript: &Transcript, expected: &[TraceRecord]) -> Outcome {
    let code = status.map(|status| status.code());
    match (code, transcript.reason()) {
        (Some(Some(EXIT_TOLD)), _) if transcript.trace == expected => Outcome::Told,
        (Some(Some(EXIT_TOLD)), _) => Outcome::Silent(transcript.text.clone()),
        (Some(Some(EXIT_STOPPED)) | None, Some(reason)) => {
            Outcome::Stopped { reason: reason.to_owned(), off: code.is_some() }
        }
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

    const RIGHT: TraceRecord = TraceRecord { pos: 0, next: 403, logits_crc: 1 };

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
        assert_eq!(
            ended(35, &format!("x\n{reason}\n")),
            Outcome::Stopped { reason: reason.into(), off: true }
        );
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
