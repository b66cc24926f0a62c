//! Unreal mode: real mode whose data segments reach 4 GB ([`map::gdt`]).
use core::arch::asm;
#[cfg(not(feature = "leave-out-unreal"))]
use map::gdt::{self, CODE_SELECTOR, DATA_SELECTOR, TablePointer};

#[cfg(not(feature = "leave-out-unreal"))]
static TABLE: [u64; 3] = gdt::table(0);
#[cfg(not(feature = "leave-out-unreal"))]
static POINTER: TablePointer = TablePointer::new(&TABLE);

/// `Some` if CR0.PE is clear. SMSW reads it without privilege, also in virtual-8086 mode.
#[inline(always)]
pub fn check_real_mode() -> Option<()> {
    let status: u16;
    // SAFETY: SMSW only reads.
    unsafe { asm!("smsw {0:x}", out(reg) status, options(nomem, nostack, preserves_flags)) };
    (status & 1 == 0).then_some(())
}

/// IN: real mode, all segments 0. OUT: the same, DS, ES, SS, FS and GS with a limit of 4 GB.
/// CLOBBER: EAX, EBX, flags. Interrupts are off while PE is set.
#[inline(always)]
#[cfg(not(feature = "leave-out-unreal"))]
pub fn enter() {
    // SAFETY: CR0 changes only in PE, for as long as the segments load; both jumps go to the next
    // instruction; the code segment's base is 0 before, in between and after.
    unsafe {
        asm!(
            "cli",
            "lgdtw {pointer}",
            "movl %cr0, %eax",
            "incw %ax", // PE was clear
            "movl %eax, %cr0",
            "ljmpw ${code}, $2f",
            "2:",
            "movw ${data}, %bx",
            "callw 4f",
            "decw %ax",
            "movl %eax, %cr0",
            "ljmpw $0, $3f",
            "3:",
            "xorw %bx, %bx",
            "callw 4f",
            "sti",
            "jmp 5f",
            "4:", // all data segments = BX
            "movw %bx, %ds",
            "movw %bx, %es",
            "movw %bx, %ss",
            "movw %bx, %fs",
            "movw %bx, %gs",
            "retw",
            "5:",
            pointer = sym POINTER, code = const CODE_SELECTOR, data = const DATA_SELECTOR,
            out("eax") _, out("ebx") _, options(att_syntax),
        );
    }
}

/// Nothing: this image was built to show that a machine without unreal mode is caught.
#[cfg(feature = "leave-out-unreal")]
pub fn enter() {}
