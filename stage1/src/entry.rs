//! In from the BIOS, out to the loader.
use core::arch::{asm, global_asm};
use map::low_memory::{BOOT_ADDRESS, PROGRAM_CS, STAGE1, STAGE1_STACK};

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

/// Hands over: `PROGRAM_CS:0`, DL = drive.
#[inline(always)]
pub fn jump_to_loader(drive: u8) -> ! {
    // SAFETY: the loader has been loaded there, and takes the machine as it is.
    unsafe { asm!("ljmpw ${cs}, $0", cs = const PROGRAM_CS, in("dl") drive, options(att_syntax, noreturn)) }
}
