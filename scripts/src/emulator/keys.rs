//! Keys on the way from this terminal to a machine.
use std::io;

use rustix::termios::{OptionalActions, OutputModes, tcgetattr, tcsetattr};

/// What becomes of the keys on this terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keys {
    /// Each goes to the machine's serial port as it is, Ctrl-C too; only Ctrl-A is the emulator's: with
    /// x it ends the machine, as under QEMU's `-nographic`.
    Raw,
    /// The terminal takes Ctrl-C and the like for itself, and the machine gets the rest.
    Cooked,
}

impl Keys {
    /// Has the terminal do as this says, for an emulator that does not do it itself.
    ///
    /// # Errors
    /// Where standard input is no terminal, and it should be raw.
    pub fn set(self) -> io::Result<()> {
        if self == Self::Raw {
            let mut modes = tcgetattr(io::stdin())?;
            modes.make_raw();
            modes.output_modes |= OutputModes::OPOST; // this program's own lines end with LF
            tcsetattr(io::stdin(), OptionalActions::Now, &modes)?;
        }
        Ok(())
    }
}

/// QEMU's escape character, and what may follow it. Source: QEMU, "Keys in the character backend
/// multiplexer".
const ESCAPE: u8 = b'A' & 0x1F;
const LEAVE: u8 = b'x';
const ITSELF: u8 = b'a';

/// Takes the escapes out of raw keys.
#[derive(Debug, Default)]
pub struct Escapes {
    /// The byte before was [`ESCAPE`].
    begun: bool,
}

impl Escapes {
    /// Adds to `machine` what of `typed` is the machine's. `true` where the user wants to leave; the
    /// rest is not looked at then.
    pub fn filter(&mut self, typed: &[u8], machine: &mut Vec<u8>) -> bool {
        for &byte in typed {
            match (std::mem::take(&mut self.begun), byte) {
                (false, ESCAPE) => self.begun = true,
                (false, _) => machine.push(byte),
                (true, LEAVE) => return true,
                (true, ITSELF | ESCAPE) => machine.push(ESCAPE),
                (true, _) => {}
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the machine gets of some pieces, and whether the user leaves.
    fn filtered(pieces: &[&[u8]]) -> (Vec<u8>, bool) {
        let (mut escapes, mut machine) = (Escapes::default(), Vec::new());
        let leaves = pieces.iter().any(|piece| escapes.filter(piece, &mut machine));
        (machine, leaves)
    }

    #[test]
    fn ctrl_a_x_leaves_and_ctrl_a_a_is_a_ctrl_a() {
        assert_eq!(filtered(&[b"a\x03x\x1b[A"]), (b"a\x03x\x1b[A".to_vec(), false));
        assert_eq!(filtered(&[b"a\x01xb"]), (b"a".to_vec(), true));
        assert_eq!(filtered(&[b"a\x01", b"x"]), (b"a".to_vec(), true));
        assert_eq!(filtered(&[b"\x01a\x01\x01\x01qx"]), (b"\x01\x01x".to_vec(), false));
    }
}
