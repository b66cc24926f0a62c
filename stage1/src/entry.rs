//! In from the BIOS, out to the kernel.
use core::arch::{asm, global_asm};
use stage1::low_memory::{BOOT_ADDRESS, KERNEL_CS, STAGE1, STAGE1_STACK};

// IN: DL = drive; CS:IP = 0x7C00 in one of its spellings (0:7C00, 07C0:0). OUT: all segments 0, the
// stack set, running at 0x600. ESP's upper half must be zero: Rust addresses the stack through it.
global_asm!(
    ".section .entry, \"ax\"",
    ".global _start",
    "_start:",
    "cli",
    "cld",
    "xorw %ax, %ax",
    "movw %ax, %ds",
    "movw %ax, %es",
    "movw %ax, %ss",
    "movl ${stack}, %esp",
    "movw ${from}, %si",
    "movw ${to}, %di",
    "movw $256, %cx", // words
    "rep movsw",
    "movb %dl, {disk} + {drive}",
    "sti",
    "ljmpw $0, ${boot}",
    from = const BOOT_ADDRESS,
    to = const STAGE1.start,
    stack = const STAGE1_STACK.end,
    boot = sym super::boot,
    disk = sym crate::disk::DISK,
    drive = const crate::disk::DRIVE_OFFSET,
    options(att_syntax),
);

/// Hands over: `KERNEL_CS:0`, DL = drive.
#[inline(always)]
pub fn jump_to_kernel(drive: u8) -> ! {
    // SAFETY: the kernel has been loaded there, and takes the machine as it is.
    unsafe { asm!("ljmpw ${cs}, $0", cs = const KERNEL_CS, in("dl") drive, options(att_syntax, noreturn)) }
}
