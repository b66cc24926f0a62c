//! In from the boot sector.
use crate::unreal;
use core::arch::global_asm;

unsafe extern "C" {
    /// The order of a boot, in the kernel's binary. `drive` is the BIOS's number of the boot drive.
    fn kernel_main(drive: u32) -> !;
}

// IN: CS = KERNEL_CS, DL = drive. OUT: all data segments 0 and flat, a stack of our own. ESP's upper
// half must be zero: Rust addresses the stack through all of it, the CPU pushes through SP.
global_asm!(
    ".section .text.entry, \"ax\"",
    ".global _start",
    "_start:",
    "cli",
    "cld",
    "xorw %ax, %ax",
    "movw %ax, %ds",
    "movw %ax, %es",
    "movw %ax, %ss",
    "movw %ax, %fs",
    "movw %ax, %gs",
    "movl $__stack_top, %esp",
    "calll {enter}",
    "movzbl %dl, %edx",
    "subl $12, %esp", // the stack is aligned to 16 at each call
    "pushl %edx",
    "calll {main}",
    enter = sym unreal::enter_at_boot,
    main = sym kernel_main,
    options(att_syntax),
);
