//! In from the program before, and, for application processors, from the start-up IPI.
use crate::smp::start;
use crate::unreal;
use core::arch::global_asm;

unsafe extern "C" {
    /// What the program does. `from_before` is what the program before left in EDX: the boot sector
    /// the BIOS's number of the boot drive in DL, the loader the address of its handover.
    fn program_main(from_before: u32) -> !;
}

// IN: CS = PROGRAM_CS, EDX from the program before. OUT: all data segments 0 and flat, a stack of our own. ESP's upper
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
    "cmpw ${mark}, {ap_stack} + 2",
    "je 2f",
    "movl $__stack_top, %esp",
    "calll {enter}",
    "subl $12, %esp", // the stack is aligned to 16 at each call
    "pushl %edx",
    "calll {main}",
    "2:", // an application processor
    "movzwl {ap_stack}, %esp",
    "calll {enter}",
    "calll {ap_main}",
    enter = sym unreal::enter_at_boot,
    main = sym program_main,
    ap_stack = sym start::STACK,
    mark = const start::MARK,
    ap_main = sym start::application_processor,
    options(att_syntax),
);
