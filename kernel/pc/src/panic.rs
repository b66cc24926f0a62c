//! What a panic is: an invalid opcode.
use core::{arch::asm, panic::PanicInfo};

/// Never called: the machine's programs are compiled so that each panic is one `ud2` where it happens
/// ("immediate abort"), which saves a fourteenth of the code. [`exceptions`](crate::faults) says
/// where; `addr2line -e target/machine/code16/machine/kernel IP` gives file and line.
#[panic_handler]
fn panic(_: &PanicInfo) -> ! {
    // SAFETY: the handler of the exception ends the program.
    unsafe { asm!("ud2", options(noreturn)) }
}
