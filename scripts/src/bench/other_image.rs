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
    child::Guarded,
    emulator::{EmulatorError, keys::Keys, qemu::Qemu},
};

/// The text screen: 80 × 25 characters with a colour each (VGA data sheets; OSDev wiki, "Text mode").
const SCREEN: &str = "0xb8000 4000";
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
/// BIOS's own to the last one.
///
/// # Errors
/// Where the screen never changes, or never stops to.
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
    child
        .wait(Some(start + patience), || {
            if looked.elapsed() >= GLANCE {
                looked = Instant::now();
                if let Ok(screen) = fs::read(&dump) {
                    watch.see(screen, looked);
                }
                writeln!(monitor, "pmemsave {SCREEN} \"{}\"", dump.display())?;
            }
            Ok(if watch.is_done() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
        })
        .map_err(failed)?;
    let name = image.display().to_string();
    match watch.printing() {
        None => Err(BenchError::Silent { image: name, patience }),
        Some(_) if !watch.is_done() => Err(BenchError::Endless { image: name, patience }),
        Some(time) => Ok(time),
    }
}

/// What was seen of a screen.
#[derive(Default)]
struct Watch {
    last: Vec<u8>,
    /// Since when the boot's own text has been there: once the program prints, the screen changes
    /// with every glance or two.
    first_change: Option<Instant>,
    last_change: Option<Instant>,
    changes: u32,
}

/// Changes before the program's own: an empty screen, the BIOS's text.
const BIOS_CHANGES: u32 = 2;

impl Watch {
    /// Takes a look. A dump that is being written is shorter.
    fn see(&mut self, screen: Vec<u8>, now: Instant) {
        if screen.len() != 4000 || screen == self.last {
            return;
        }
        self.last = screen;
        self.changes += 1;
        if self.changes == BIOS_CHANGES + 1 {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_is_from_the_first_own_change_to_the_last() {
        let (mut watch, start) = (Watch::default(), Instant::now());
        let at = |ms| start + Duration::from_millis(ms);
        watch.see(vec![0; 4000], at(0));
        watch.see(vec![1; 4000], at(50)); // the BIOS
        assert_eq!(watch.printing(), None);
        for (i, ms) in [100, 150, 200, 900].into_iter().enumerate() {
            watch.see(vec![i as u8 + 2; 4000], at(ms));
            watch.see(vec![i as u8 + 2; 4000], at(ms + 10)); // no change
            watch.see(vec![9; 100], at(ms + 20)); // half a dump
        }
        assert_eq!(watch.printing(), Some(Duration::from_millis(800)));
    }
}
