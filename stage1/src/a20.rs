//! The A20 gate: closed, it makes bit 20 of every address zero, as on an 8086.
use core::arch::asm;

/// System control port A of the PS/2; bit 1 opens A20, bit 0 resets the machine.
const PORT_92: u16 = 0x92;

/// Opens A20 the fast way. The kernel verifies it and knows the slow ways.
pub fn open() {
    // SAFETY: bit 0 is cleared, so this does not reset; a machine without the port ignores it.
    unsafe {
        asm!("in al, {port}", "or al, 2", "and al, 0xFE", "out {port}, al",
            port = const PORT_92, out("al") _, options(nomem, nostack));
    }
}
