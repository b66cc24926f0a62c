//! The I/O instructions.
use core::arch::asm;

/// Reads a byte from `port`.
///
/// # Safety
/// Reading may change the device's state; the caller answers for it.
#[inline(always)]
pub unsafe fn read_u8(port: u16) -> u8 {
    let value;
    // SAFETY: the caller's promise.
    unsafe { asm!("in al, dx", in("dx") port, out("al") value, options(nomem, nostack, preserves_flags)) };
    value
}

/// Writes a byte to `port`.
///
/// # Safety
/// The caller answers for what the device does.
#[inline(always)]
pub unsafe fn write_u8(port: u16, value: u8) {
    // SAFETY: the caller's promise.
    unsafe { asm!("out dx, al", in("dx") port, in("al") value, options(nostack, preserves_flags)) };
}

/// Reads a 16-bit word from `port`.
///
/// # Safety
/// Reading may change the device's state; the caller answers for it.
#[inline(always)]
pub unsafe fn read_u16(port: u16) -> u16 {
    let value;
    // SAFETY: the caller's promise.
    unsafe { asm!("in ax, dx", in("dx") port, out("ax") value, options(nomem, nostack, preserves_flags)) };
    value
}

/// Reads a 32-bit word from `port`.
///
/// # Safety
/// Reading may change the device's state; the caller answers for it.
#[inline(always)]
pub unsafe fn read_u32(port: u16) -> u32 {
    let value;
    // SAFETY: the caller's promise.
    unsafe { asm!("in eax, dx", in("dx") port, out("eax") value, options(nomem, nostack, preserves_flags)) };
    value
}

/// Writes a 32-bit word to `port`.
///
/// # Safety
/// The caller answers for what the device does.
#[inline(always)]
pub unsafe fn write_u32(port: u16, value: u32) {
    // SAFETY: the caller's promise.
    unsafe { asm!("out dx, eax", in("dx") port, in("eax") value, options(nostack, preserves_flags)) };
}

/// Writes a 16-bit word to `port`.
///
/// # Safety
/// The caller answers for what the device does.
#[inline(always)]
pub unsafe fn write_u16(port: u16, value: u16) {
    // SAFETY: the caller's promise.
    unsafe { asm!("out dx, ax", in("dx") port, in("ax") value, options(nostack, preserves_flags)) };
}
