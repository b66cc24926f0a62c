//! The first interrupt controller: IRQ 0 to 7, which BIOSes let come as interrupts 08h to 0Fh.
//!
//! Source: Intel 8259A data sheet, "Operation Command Words" (OCW).
use crate::port;

/// The vector of IRQ 0; the next ones follow.
pub const FIRST_VECTOR: u32 = 0x08;
/// The line of COM1.
pub const COM1_IRQ: u8 = 4;

/// The port of OCW2 and OCW3, and of the register that OCW3 has chosen.
pub const COMMAND: u16 = 0x20;
/// The port of OCW1, the interrupt mask register: a set bit keeps its line's interrupts away.
const MASK: u16 = 0x21;
/// OCW2: non-specific end of interrupt, which ends the one of highest priority that is in service.
pub const END_OF_INTERRUPT: u8 = 0x20;
/// OCW3: the next read of [`COMMAND`] gives the interrupt request register, as BIOSes expect.
pub const READ_IRR: u8 = 0x0A;
/// OCW3: it gives the in-service register.
pub const READ_ISR: u8 = 0x0B;

/// Lets the interrupts of a line come. It must have a handler.
pub fn unmask(irq: u8) {
    // SAFETY: the other lines stay as they are.
    unsafe { port::write_u8(MASK, port::read_u8(MASK) & !(1 << irq)) };
}
