//! What the boot sector says when it cannot go on: `!` and a letter.
use core::arch::asm;
use core::panic::PanicInfo;

/// Each failure has one letter.
#[derive(Clone, Copy)]
#[repr(u8)]
pub enum Failure {
    /// The CPU is not in real mode (a monitor in virtual-8086 mode runs us): no way to unreal mode.
    VirtualMode = b'V',
    /// The BIOS has neither extended reads nor a geometry for this drive.
    Geometry = b'G',
    /// A read failed again after resets of the drive.
    Read = b'R',
}

/// Takes the good case apart or stops with the failure's letter.
pub trait OrStop<T> {
    /// The value, or a stop with `failure`'s letter on the screen.
    fn or_stop(self, failure: Failure) -> T;
}

impl<T> OrStop<T> for Option<T> {
    #[inline(always)]
    fn or_stop(self, failure: Failure) -> T {
        match self {
            Some(value) => value,
            None => stop(failure as u8),
        }
    }
}

/// Prints `!` and the letter, then waits for ever.
#[cold]
#[inline(never)]
fn stop(letter: u8) -> ! {
    print(b'!');
    print(letter);
    loop {
        // SAFETY: HLT waits for an interrupt and changes nothing; the BIOS serves it.
        unsafe { asm!("hlt", options(nomem, nostack)) };
    }
}

/// INT 10h, AH=0Eh: teletype output.
#[inline(always)]
fn print(character: u8) {
    // SAFETY: the video BIOS prints AL; it may change AX and, when it scrolls, BP.
    unsafe {
        asm!("mov ah, 0x0E", "push bp", "int 0x10", "pop bp", inout("al") character => _, in("bx") 7u16);
    }
}

/// Nothing here can panic. Should that change, the link fails at this name.
#[panic_handler]
fn panic(_: &PanicInfo) -> ! {
    unsafe extern "C" {
        fn the_boot_sector_can_panic() -> !;
    }
    // SAFETY: never linked, so never called.
    unsafe { the_boot_sector_can_panic() }
}
