//! The keyboard, PS/2 or USB, through the BIOS (INT 16h).
//!
//! Source: Ralf Brown's interrupt list, INT 16h.
use crate::bios::{self, Flags, Registers};
use crate::bios_data::{self, HAS_101_KEYS, KEY_BUFFER_HEAD, KEYBOARD_STATUS_3};

/// INT 16h, AX: take a key, look whether one waits.
const READ_KEY: u32 = 0x0000;
const PEEK_KEY: u32 = 0x0100;
/// Added to both: the enhanced functions, AH=10h and 11h. The others throw away keys that came with the 101-key
/// keyboard, such as F11, and then wait for another.
const ENHANCED: u32 = 0x1000;

/// Does a key wait, as far as memory tells? Costs next to nothing.
pub fn has_key() -> bool {
    // A key that comes between two of the bytes is seen the next time.
    let [head_low, head_high, tail_low, tail_high] = bios_data::read(KEY_BUFFER_HEAD);
    [head_low, head_high] != [tail_low, tail_high]
}

/// Takes a key, if one waits: its ASCII code in AL, its scan code in AH. Some BIOSes look after USB keyboards only
/// when asked for a key.
pub fn take_key() -> Option<u16> {
    let [status] = bios_data::read(KEYBOARD_STATUS_3);
    let enhanced = if status & HAS_101_KEYS != 0 { ENHANCED } else { 0 };
    let is_none = ask(PEEK_KEY + enhanced).flags.contains(Flags::ZERO);
    // What one function says waits, its sister gives at once: nobody else takes keys.
    (!is_none).then(|| ask(READ_KEY + enhanced).eax as u16)
}

fn ask(function: u32) -> Registers {
    let mut registers = Registers::new(function);
    // SAFETY: the service works on its own memory.
    unsafe { bios::call(0x16, &mut registers) };
    registers
}
