//! A word at the stack's lower end that a stack which grew too far would overwrite.
use core::fmt;

unsafe extern "C" {
    /// The stack's lower end, from the link script: the first word above bss.
    static mut __stack_bottom: u32;
}

/// Unlikely to be written by chance: "GARD".
const GUARD: u32 = u32::from_le_bytes(*b"GARD");

/// The stack grew over its end.
#[derive(Clone, Copy, Debug)]
pub struct Overflow {
    /// What stood there instead of the guard.
    pub found: u32,
}

impl fmt::Display for Overflow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let found = self.found;
        write!(f, "the program's stack overflowed: its guard word is {found:#010x}; please report this")
    }
}

/// Sets the guard.
pub fn arm() {
    // SAFETY: the word belongs to the stack's end, where nothing is yet.
    unsafe { (&raw mut __stack_bottom).write_volatile(GUARD) };
}

/// Is the guard intact?
pub fn check() -> Result<(), Overflow> {
    // SAFETY: the same word.
    match unsafe { (&raw const __stack_bottom).read_volatile() } {
        GUARD => Ok(()),
        found => Err(Overflow { found }),
    }
}
