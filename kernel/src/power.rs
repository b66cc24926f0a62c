//! The ends of a run: off, or halted for ever.
use core::arch::asm;

/// Waits for ever, as cheaply as the CPU can.
pub fn halt() -> ! {
    loop {
        // SAFETY: HLT waits for the next interrupt and changes nothing.
        unsafe { asm!("hlt", options(nomem, nostack)) };
    }
}

/// The end after an error.
pub fn stop_failed() -> ! {
    halt()
}
