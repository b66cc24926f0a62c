//! Another program's disk image, of which nothing is known but that it prints on the text screen:
//! how long it prints.
use std::{
    fs,
    io::Write,
    ops::ControlFlow,
    path::Path,
    process::Stdio,
    time::{Duration, Instant},
};

use super::{BenchError, machine::Pc};
use crate::{
    child::{End, Guarded},
    emulator::{EmulatorError, keys::Keys, qemu::Qemu},
};

/// The text screen: 80 × 25 characters with a colour each (VGA data sheets; OSDev wiki, "Text mode").
const SCREEN: &str = "0xb8000 4000";
const SCREEN_BYTES: usize = 4000;
const ROW_BYTES: usize = 160;
/// What lines of QEMU's BIOS begin with before it starts the program (SeaBIOS, src/bootsplash.c and src/boot.c), and
/// where there is nothing to start.
const BIOS_LINES: [&str; 3] = ["SeaBIOS", "Machine UUID", "Booting from"];
const BOOT_FAILED: &str = "Boot failed";
/// What leads from the serial port to the monitor. Source: QEMU, "Keys in the character backend
/// multiplexer".
const TO_MONITOR: &[u8] = b"\x01c";
/// How often it is looked at.
const GLANCE: Duration = Duration::from_millis(50);
/// After so long without a change a program is taken to be done.
const QUIET: Duration = Duration::from_secs(5);

/// How long to wait for the other program.
#[derive(Clone, Copy, Debug)]
pub struct Patience(pub Duration);

/// Boots `image` on the same PC and gives the time from the first change of the screen after the
/// BIOS's own to the last one, or to the end of the machine.
///
/// # Errors
/// Where the image does not boot, the screen never changes, or never stops to.
pub fn printing_time(
    image: &Path,
    pc: Pc,
    memory_mib: u32,
    Patience(patience): Patience,
) -> Result<Duration, BenchError> {
    let folder = tempfile::tempdir().map_err(BenchError::Temporary)?;
    let dump = folder.path().join("screen");
    // Its own serial port and QEMU's monitor share this program's pipe.
    let mut command = Qemu { keys: Keys::Raw, ..pc.qemu(memory_mib) }.command(image)?;
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = Guarded::spawn(&mut command, false).map_err(EmulatorError::from)?;
    let mut monitor = child.take_stdin().expect("stdin was piped just above");
    monitor.write_all(TO_MONITOR).map_err(BenchError::Temporary)?;
    let (start, mut watch) = (Instant::now(), Watch::default());
    let mut looked = start;
    let failed = |cause| EmulatorError::File { path: image.into(), cause };
    let end = child
        .wait(Some(start + patience), || {
            if looked.elapsed() >= GLANCE {
                looked = Instant::now();
                if let Ok(screen) = fs::read(&dump) {
                    watch.see(screen, looked);
                }
                // Where QEMU has ended there is nobody to ask; `wait` is about to see that.
                let _ = writeln!(monitor, "pmemsave {SCREEN} \"{}\"", dump.display());
            }
            Ok(if watch.is_done() || watch.boot_failed {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            })
        })
        .map_err(failed)?;
    let name = image.display().to_string();
    match watch.printing() {
        _ if watch.boot_failed => Err(BenchError::NoBoot { image: name }),
        None | Some(Duration::ZERO) => Err(BenchError::Silent { image: name, patience }),
        Some(_) if matches!(end, End::TimedOut) => Err(BenchError::Endless { image: name, patience }),
        Some(time) => Ok(time),
    }
}

/// What was seen of a screen.
#[derive(Default)]
struct Watch {
    last: Vec<u8>,
    /// When something was seen that is not the BIOS's.
    first_change: Option<Instant>,
    last_change: Option<Instant>,
    /// The BIOS has found nothing to start.
    boot_failed: bool,
}

impl Watch {
    /// Takes a look. A dump that is being written is shorter.
    fn see(&mut self, screen: Vec<u8>, now: Instant) {
        if screen.len() != SCREEN_BYTES || screen == self.last {
            return;
        }
        self.last = screen;
        if self.first_change.is_none() {
            let rows: Vec<String> = self.last.chunks(ROW_BYTES).map(row).collect();
            let text = || rows.iter().map(|row| row.trim()).filter(|row| !row.is_empty());
            self.boot_failed |= text().any(|row| row.starts_with(BOOT_FAILED));
            if text().all(|row| BIOS_LINES.iter().any(|line| row.starts_with(line))) {
                return;
            }
            self.first_change = Some(now);
        }
        self.last_change = Some(now);
    }

    fn printing(&self) -> Option<Duration> {
        Some(self.last_change? - self.first_change?)
    }

    fn is_done(&self) -> bool {
        self.printing().is_some() && self.last_change.is_some_and(|last| last.elapsed() > QUIET)
    }
}

/// The characters of a row, as far as they are ASCII's: 0 shows nothing.
fn row(bytes: &[u8]) -> String {
    let shown = |&character: &u8| if character.is_ascii_graphic() { character as char } else { ' ' };
    bytes.iter().step_by(2).map(shown).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A screen with these rows.
    fn screen(rows: &[&str]) -> Vec<u8> {
        let mut screen = vec![0; SCREEN_BYTES];
        for (row, text) in screen.chunks_mut(ROW_BYTES).zip(rows) {
            for (cell, byte) in row.chunks_mut(2).zip(text.bytes()) {
                cell.copy_from_slice(&[byte, 7]);
            }
        }
        screen
    }

    const BIOS: [&str; 3] = ["SeaBIOS (version 1.16.2-debian-1.16.2-1)", "", "Booting from Hard Disk..."];

    #[test]
    fn the_time_is_from_the_first_own_change_to_the_last() {
        let (mut watch, start) = (Watch::default(), Instant::now());
        let at = |ms| start + Duration::from_millis(ms);
        watch.see(screen(&[]), at(0));
        for rows in 1..=BIOS.len() {
            watch.see(screen(&BIOS[..rows]), at(10 * rows as u64));
        }
        assert_eq!(watch.printing(), None);
        for (i, ms) in [100, 150, 200, 900].into_iter().enumerate() {
            let shown = screen(&[BIOS[0], BIOS[1], BIOS[2], &"Once upon"[..i + 1]]);
            watch.see(shown.clone(), at(ms));
            watch.see(shown, at(ms + 10)); // no change
            watch.see(vec![9; 100], at(ms + 20)); // half a dump
        }
        assert_eq!(watch.printing(), Some(Duration::from_millis(800)));
        assert!(!watch.boot_failed);
    }

    #[test]
    fn a_screen_that_was_cleared_is_not_yet_the_program() {
        let (mut watch, start) = (Watch::default(), Instant::now());
        watch.see(screen(&BIOS), start);
        watch.see(screen(&[]), start);
        assert_eq!(watch.printing(), None);
        watch.see(screen(&["Once"]), start);
        assert_eq!(watch.printing(), Some(Duration::ZERO));
    }

    #[test]
    fn an_image_that_does_not_boot_is_told() {
        let mut watch = Watch::default();
        watch.see(screen(&[BIOS[0], BIOS[2], "Boot failed: not a bootable disk"]), Instant::now());
        assert!(watch.boot_failed);
    }
}
