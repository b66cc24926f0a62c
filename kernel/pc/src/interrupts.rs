//! Interrupts: on, off, and awaited.
//!
//! Each is also a barrier for the compiler: it moves no access to memory from one side to the other, as
//! a handler may look at what was written before, or change what is read after.
use core::arch::asm;

/// Lets interrupts come.
pub fn enable() {
    // SAFETY: every vector of the BIOS's two controllers has a handler, which keeps all registers.
    unsafe { asm!("sti", options(nostack, preserves_flags)) };
}

/// Lets none come.
pub fn disable() {
    // SAFETY: what is missed meanwhile comes after [`enable`].
    unsafe { asm!("cli", options(nostack, preserves_flags)) };
}

/// Lets interrupts come and sleeps until one has. Right after STI the CPU takes none before the next
/// instruction, so that none slips through between a look with interrupts off and HLT.
pub fn wait() {
    // SAFETY: as [`enable`]; HLT changes nothing.
    unsafe { asm!("sti", "hlt", options(nostack, preserves_flags)) };
}
