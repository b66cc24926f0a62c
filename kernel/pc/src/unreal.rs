//! Unreal mode: real mode whose data segments reach 4 GB ([`map::gdt`]).
//!
//! Entered at boot and again after every BIOS call, since a BIOS may load segments of its own limits; where
//! an interrupt's handler has done so, the fault that follows enters it again ([`crate::faults`]). CR0.PE is
//! 1 only inside [`enter`], with interrupts off.
use core::arch::{asm, global_asm};
use map::gdt::{self, CODE_SELECTOR, DATA_SELECTOR, TablePointer};
use map::low_memory::{PROGRAM_CODE, PROGRAM_CS};
use x86_64::registers::control::Cr0Flags;

static TABLE: [u64; 3] = gdt::table(PROGRAM_CODE.start);
static POINTER: TablePointer = TablePointer::new(&TABLE);

unsafe extern "C" {
    /// Gives DS, ES, SS, FS and GS base 0 and a limit of 4 GB. Keeps all registers and flags.
    ///
    /// # Safety
    /// CS must be the kernel's, SS:SP a stack with SS = 0, and nobody may count on what the other
    /// segments held.
    #[link_name = "enter_unreal_mode"]
    pub fn enter();
}

// IN: CS = PROGRAM_CS, SS = 0. OUT: all data segments 0, flat. CLOBBER: nothing.
global_asm!(
    ".section .text.enter_unreal_mode, \"ax\"",
    ".global enter_unreal_mode",
    "enter_unreal_mode:",
    "pushfl",
    "cli",
    "pushl %eax",
    "pushl %ebx",
    "xorw %bx, %bx",
    "movw %bx, %ds", // LGDT reads through it
    "lgdtl {pointer}",
    "movl %cr0, %eax",
    "orl ${pe}, %eax",
    "movl %eax, %cr0",
    "ljmpw ${code}, $2f", // some 386s need CS loaded after each switch
    "2:",
    "movw ${data}, %bx",
    "movw %bx, %ds",
    "movw %bx, %es",
    "movw %bx, %ss",
    "movw %bx, %fs",
    "movw %bx, %gs",
    "andl $~{pe}, %eax",
    "movl %eax, %cr0",
    "ljmpw ${cs}, $3f",
    "3:",
    "xorw %bx, %bx",
    "movw %bx, %ds",
    "movw %bx, %es",
    "movw %bx, %ss",
    "movw %bx, %fs",
    "movw %bx, %gs",
    "popl %ebx",
    "popl %eax",
    "popfl",
    "retl",
    pointer = sym POINTER,
    pe = const Cr0Flags::PROTECTED_MODE_ENABLE.bits(),
    code = const CODE_SELECTOR,
    data = const DATA_SELECTOR,
    cs = const PROGRAM_CS,
    options(att_syntax),
);

/// [`enter`], but for the image of one test: that it is missing must not go unnoticed.
#[cfg(not(feature = "leave-out-unreal"))]
pub use enter as enter_at_boot;

/// Nothing: this image was built to show that a machine without unreal mode is caught.
///
/// # Safety
/// None needed; the same signature as [`enter`].
#[cfg(feature = "leave-out-unreal")]
pub unsafe extern "C" fn enter_at_boot() {}

/// CR0 as it is now.
pub fn cr0() -> Cr0Flags {
    let value: u32;
    // SAFETY: reading CR0 changes nothing, and real mode is privileged.
    unsafe { asm!("mov {}, cr0", out(reg) value, options(nomem, nostack, preserves_flags)) };
    Cr0Flags::from_bits_retain(value.into())
}

/// Writes CR0.
///
/// # Safety
/// `PROTECTED_MODE_ENABLE` must be clear, and the rest must suit the CPU.
pub unsafe fn write_cr0(flags: Cr0Flags) {
    // SAFETY: the caller's promise.
    unsafe { asm!("mov cr0, {}", in(reg) flags.bits() as u32, options(nomem, nostack, preserves_flags)) };
}
