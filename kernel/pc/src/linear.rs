//! The one place where an integer becomes an address.
//!
//! In 16-bit code a constant address is silently cut to 16 bits: the compiler believes that all
//! addresses have 32 bits, the assembler encodes a direct access with 16. An address in a register
//! keeps all its bits. So every constant address goes through a register here, and integers are
//! cast to pointers nowhere else.
use core::arch::asm;

/// A pointer to the linear address `address`, which the compiler cannot see through.
///
/// Whether something may be read or written there is for the one who does it to say.
#[inline(always)]
pub fn pointer<T>(address: u32) -> *mut T {
    let mut opaque = address;
    // SAFETY: an empty instruction sequence that claims to change a register.
    unsafe {
        asm!("/* {0:e} */", inout(reg) opaque, options(pure, nomem, nostack, preserves_flags));
    }
    core::ptr::with_exposed_provenance_mut(opaque as usize)
}
