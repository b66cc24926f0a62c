//! The BIOS's data area: what its services and interrupt handlers note down, from 0040:0000 on.
//!
//! Source: Ralf Brown's memory list, segment 0040h.
use crate::linear;

/// Where the offsets of the first key that waits and behind the last one are: two words.
pub const KEY_BUFFER_HEAD: u32 = 0x41A;
/// The count of the timer's ticks since midnight, 18.2 a second: 32 bits.
pub const TICKS: u32 = 0x46C;
/// A byte about the keyboard.
pub const KEYBOARD_STATUS_3: u32 = 0x496;
/// In it: it has 101 keys, and INT 16h the enhanced functions.
pub const HAS_101_KEYS: u8 = 1 << 4;
/// How the BIOS starts: a word, and the value that skips the memory test.
const RESET_FLAG: u32 = 0x472;
const WARM_RESET: u16 = 0x1234;

/// Bytes of the data area as they are now. An interrupt handler may change them from one byte to the next.
pub fn read<const N: usize>(address: u32) -> [u8; N] {
    // SAFETY: any bytes there may be read.
    unsafe { linear::pointer::<[u8; N]>(address).read_volatile() }
}

/// Notes down how the next start goes.
pub fn set_warm_reset() {
    // SAFETY: only the BIOS's start-up code reads this word.
    unsafe { linear::pointer::<u16>(RESET_FLAG).write_volatile(WARM_RESET) };
}
