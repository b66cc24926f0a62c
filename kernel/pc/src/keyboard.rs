//! The keyboard, PS/2 or USB, through the BIOS (INT 16h).
use crate::bios::{self, Flags, Registers};
use crate::linear;

/// INT 16h, AH: read a key, look whether one waits.
const READ_KEY: u32 = 0x0000;
const PEEK_KEY: u32 = 0x0100;
/// Where the BIOS has the offsets of the first key that waits and behind the last one: two words of
/// its data area. Source: Ralf Brown's memory list, 0040:001A.
const KEY_BUFFER_HEAD: u32 = 0x41A;

/// Does a key wait, as far as memory tells? Costs next to nothing.
pub fn has_key() -> bool {
    let ends: *const [u16; 2] = linear::pointer(KEY_BUFFER_HEAD);
    // SAFETY: reads the BIOS's data area.
    let [head, tail] = unsafe { ends.read_volatile() };
    head != tail
}

/// Does a key wait, as the BIOS says? Some BIOSes look after USB keyboards only when asked.
pub fn ask_for_key() -> bool {
    let mut registers = Registers::new(PEEK_KEY);
    // SAFETY: the service works on its own memory.
    unsafe { bios::call(0x16, &mut registers) };
    !registers.flags.contains(Flags::ZERO)
}

/// Takes the key that waits: its ASCII code in AL, its scan code in AH.
pub fn read_key() -> u16 {
    let mut registers = Registers::new(READ_KEY);
    // SAFETY: the service works on its own memory. It returns at once, as a key waits.
    unsafe { bios::call(0x16, &mut registers) };
    registers.eax as u16
}
