//! In from the program before, and, for application processors, from the start-up IPI.

/// Makes `main: extern "C" fn(u32) -> !` the program. It gets what the program before left in EDX: the boot
/// sector the BIOS's number of the boot drive in DL, the loader the address of its handover.
///
/// The entry code: IN: CS = PROGRAM_CS, EDX from the program before. OUT: all data segments 0 and flat, a
/// stack of our own. ESP's upper half must be zero: Rust addresses the stack through all of it, the CPU
/// pushes through SP.
#[macro_export]
macro_rules! program {
    ($main:path) => {
        core::arch::global_asm!(
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
            enter = sym $crate::unreal::enter_at_boot,
            main = sym $main,
            ap_stack = sym $crate::processors::start::STACK,
            mark = const $crate::processors::start::MARK,
            ap_main = sym $crate::processors::start::application_processor,
            options(att_syntax),
        );
    };
}
