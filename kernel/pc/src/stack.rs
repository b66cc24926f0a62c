//! The stack's free part is painted, so that it shows how deep the stack ever was: a program sees at its lower end
//! whether it grew too far, and tests/tests/boot/stack.rs measures all of it.
use core::arch::asm;
use core::fmt;
pub use map::low_memory::STACK_PAINT;

unsafe extern "C" {
    /// The stack's lower end, from the link script: the first word above bss.
    static mut __stack_bottom: u32;
}

/// The stack grew over its end.
#[derive(Clone, Copy, Debug)]
pub struct Overflow {
    /// What stands there instead of the paint.
    pub found: u32,
}

impl fmt::Display for Overflow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let found = self.found;
        write!(f, "the program's stack overflowed: its last word is {found:#010x}; please report this")
    }
}

/// Paints what is free of the stack.
pub fn paint() {
    // SAFETY: from the stack's end to ESP, below which nothing is kept: an interrupt that comes in between has left
    // what it put there when the next word is written.
    unsafe {
        asm!(
            "movl %esp, %ecx",
            "subl %edi, %ecx",
            "shrl $2, %ecx",
            "rep stosl %eax, %es:(%edi)",
            in("eax") STACK_PAINT,
            inout("edi") &raw mut __stack_bottom => _,
            out("ecx") _,
            options(att_syntax, nostack),
        );
    }
}

/// Is the last word still painted?
pub fn check() -> Result<(), Overflow> {
    // SAFETY: the stack's last word, where nothing else is.
    match unsafe { (&raw const __stack_bottom).read_volatile() } {
        STACK_PAINT => Ok(()),
        found => Err(Overflow { found }),
    }
}
