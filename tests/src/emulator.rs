//! What every running machine can do, whichever emulator runs it.
use std::process::ExitStatus;
use std::thread::sleep;
use std::time::Duration;

use crate::{
    Error,
    process::{POLL, Process},
    registers::Registers,
    screen::Screen,
};

/// A machine that was started. It is switched off when it is dropped.
pub trait Emulator {
    /// The emulator's process.
    fn process(&mut self) -> &mut Process;

    /// Every byte that the machine sent on its serial port so far.
    ///
    /// # Errors
    /// [`Error::Io`] if the emulator's log cannot be read.
    fn serial(&mut self) -> Result<Vec<u8>, Error>;

    /// Stops the machine and looks at its screen and processor. It does not run on afterwards.
    ///
    /// # Errors
    /// [`Error::Answer`] or [`Error::Io`] if the emulator does not tell.
    fn freeze(&mut self) -> Result<Frozen, Error>;

    /// Waits until `done` holds for the serial log, and gives the log.
    ///
    /// # Errors
    /// [`Error::TimedOut`] when the machine's time is up, [`Error::Ended`] when the emulator ends
    /// first, both with the end of the log.
    fn wait_for(&mut self, awaited: &str, done: impl Fn(&[u8]) -> bool) -> Result<Vec<u8>, Error>
    where
        Self: Sized,
    {
        loop {
            // The status first: all that was sent before the end is then in the log.
            let status = self.process().status()?;
            let log = self.serial()?;
            if done(&log) {
                return Ok(log);
            }
            if let Some(status) = status {
                // The thread that reads the log may be a little behind.
                sleep(20 * POLL);
                let log = self.serial()?;
                if done(&log) {
                    return Ok(log);
                }
                let said = self.process().stderr();
                return Err(Error::Ended { awaited: awaited.to_owned(), status, said, log: tail(&log) });
            }
            self.check_time(awaited, &log)?;
            sleep(POLL);
        }
    }

    /// Waits until the log holds `text`, and gives the log.
    ///
    /// # Errors
    /// As [`Emulator::wait_for`].
    fn wait_for_text(&mut self, text: &str) -> Result<Vec<u8>, Error>
    where
        Self: Sized,
    {
        self.wait_for(&format!("'{text}' on the serial port"), |log| {
            log.windows(text.len()).any(|window| window == text.as_bytes())
        })
    }

    /// Waits until the machine switches itself off. Gives the emulator's exit status and the log.
    ///
    /// # Errors
    /// [`Error::TimedOut`] when the machine's time is up first.
    fn wait_for_end(&mut self) -> Result<(ExitStatus, Vec<u8>), Error>
    where
        Self: Sized,
    {
        loop {
            if let Some(status) = self.process().status()? {
                sleep(20 * POLL);
                return Ok((status, self.serial()?));
            }
            let log = self.serial()?;
            self.check_time("switching off", &log)?;
            sleep(POLL);
        }
    }

    /// Fails once the machine's time is up.
    ///
    /// # Errors
    /// [`Error::TimedOut`].
    fn check_time(&mut self, awaited: &str, log: &[u8]) -> Result<(), Error> {
        let limit: Duration = self.process().limit();
        if self.process().age() < limit {
            return Ok(());
        }
        Err(Error::TimedOut { awaited: awaited.to_owned(), limit, log: tail(log) })
    }
}

/// A machine at one instant.
#[derive(Clone, Debug)]
pub struct Frozen {
    /// The text screen.
    pub screen: Screen,
    /// The processor.
    pub registers: Registers,
}

/// The end of a log as text, for a message.
fn tail(log: &[u8]) -> String {
    const SHOWN: usize = 600;
    String::from_utf8_lossy(&log[log.len().saturating_sub(SHOWN)..]).into_owned()
}
