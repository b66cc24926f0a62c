//! QEMU's debugger port, for what its control socket does not offer: writing to memory, and stopping at a place.
//!
//! Source: GDB manual, appendix E, "GDB remote serial protocol".
use std::{
    io::{Read, Write},
    os::unix::net::UnixStream,
    path::Path,
    time::Duration,
};

use crate::Error;

/// QEMU answers at once, or something is wrong.
const ANSWER_LIMIT: Duration = Duration::from_secs(10);

/// A connection. The machine stands still as long as it lasts.
pub struct Gdb(UnixStream);

impl Gdb {
    /// Connects to the socket of QEMU's `gdbserver`.
    ///
    /// # Errors
    /// [`Error::Io`] if nothing listens there.
    pub fn connect(socket: &Path) -> Result<Self, Error> {
        let stream = UnixStream::connect(socket).map_err(Error::io("connect to QEMU's gdbserver"))?;
        stream.set_read_timeout(Some(ANSWER_LIMIT)).map_err(Error::io("set up the debugger port"))?;
        Ok(Self(stream))
    }

    /// Writes to memory, also over code: the processor sees it at once.
    ///
    /// # Errors
    /// [`Error::Answer`] if QEMU refuses, [`Error::Io`] if it is gone.
    pub fn write(&mut self, address: u32, bytes: &[u8]) -> Result<(), Error> {
        let data: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        self.command(&format!("M{address:x},{:x}:{data}", bytes.len()))
    }

    /// Lets the machine run until it is about to execute the instruction at the linear address `place`.
    ///
    /// # Errors
    /// As [`Gdb::write`]; [`Error::Io`] too if it does not come there within some seconds.
    pub fn run_to(&mut self, place: u32) -> Result<(), Error> {
        self.command(&format!("Z0,{place:x},1"))?;
        self.send("c")?;
        // `+`, then why it stopped: a packet that begins with T and ends with a sum.
        let mut answer = Vec::new();
        while answer.iter().rev().nth(2) != Some(&b'#') {
            let mut byte = [0];
            self.0.read_exact(&mut byte).map_err(Error::io("read the debugger port"))?;
            answer.extend(byte);
        }
        self.0.write_all(b"+").map_err(Error::io("write to the debugger port"))?;
        ensure_answer(answer.starts_with(b"+$T"), "c", &answer)?;
        self.command(&format!("z0,{place:x},1"))
    }

    /// Lets the machine run on.
    ///
    /// # Errors
    /// As [`Gdb::write`].
    pub fn detach(mut self) -> Result<(), Error> {
        self.command("D")
    }

    fn command(&mut self, command: &str) -> Result<(), Error> {
        self.send(command)?;
        // `+`, then the answer's packet.
        let mut answer = [0; b"+$OK#9a".len()];
        self.0.read_exact(&mut answer).map_err(Error::io("read the debugger port"))?;
        ensure_answer(&answer == b"+$OK#9a", command, &answer)
    }

    fn send(&mut self, command: &str) -> Result<(), Error> {
        self.0.write_all(packet(command).as_bytes()).map_err(Error::io("write to the debugger port"))
    }
}

/// Fails with what was asked and answered, unless the answer is right.
fn ensure_answer(is_right: bool, asked: &str, answer: &[u8]) -> Result<(), Error> {
    let answer = || String::from_utf8_lossy(answer).into_owned();
    if is_right { Ok(()) } else { Err(Error::Answer { asked: asked.to_owned(), answer: answer() }) }
}

/// `$`, the command, `#` and the sum of its bytes.
fn packet(command: &str) -> String {
    let sum = command.bytes().fold(0_u8, u8::wrapping_add);
    format!("${command}#{sum:02x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packet_ends_with_its_sum() {
        assert_eq!(packet("D"), "$D#44");
        assert_eq!(packet("OK"), "$OK#9a");
    }
}
