//! The keyboard, PS/2 or USB, through the BIOS (INT 16h).
//!
//! Source: Ralf Brown's interrupt list, INT 16h, and memory list, 0040:001A and 0040:0096.
use crate::bios::{self, Flags, Registers};
use crate::linear;

/// INT 16h, AX: take a key, look whether one waits.
const READ_KEY: u32 = 0x0000;
const PEEK_KEY: u32 = 0x0100;
/// Added to both: the enhanced functions, AH=10h and 11h. The others throw away keys that came with the 101-key
/// keyboard, such as F11, and then wait for another.
const ENHANCED: u32 = 0x1000;
/// Where the BIOS has the offsets of the first key that waits and behind the last one: two words.
const KEY_BUFFER_HEAD: u32 = 0x41A;
/// A byte of the BIOS that says whether there is a 101-key keyboard, and with it the enhanced functions.
const KEYBOARD_STATUS_3: u32 = 0x496;
const HAS_101_KEYS: u8 = 1 << 4;

/// Does a key wait, as far as memory tells? Costs next to nothing.
pub fn has_key() -> bool {
    // A key that comes between two of the bytes is seen the next time.
    let [head_low, head_high, tail_low, tail_high] = data_area(KEY_BUFFER_HEAD);
    [head_low, head_high] != [tail_low, tail_high]
}

/// Takes a key, if one waits: its ASCII code in AL, its scan code in AH. Some BIOSes look after USB keyboards only
/// when asked for a key.
pub fn take_key() -> Option<u16> {
    let [status] = data_area(KEYBOARD_STATUS_3);
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

/// Bytes of the BIOS's data area, which its handler of keys changes.
fn data_area<const N: usize>(address: u32) -> [u8; N] {
    // SAFETY: any bytes there may be read.
    unsafe { linear::pointer::<[u8; N]>(address).read_volatile() }
}
