//! Calls to the BIOS, straight from unreal mode.
use crate::unreal;
use bitflags::bitflags;
use core::arch::global_asm;

bitflags! {
    /// The flags register, as far as the BIOS answers with it.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    #[repr(transparent)]
    pub struct Flags: u16 {
        /// Most services set it when they fail.
        const CARRY = 1 << 0;
        /// Some answer with it (INT 16h: no key is waiting).
        const ZERO = 1 << 6;
    }
}

/// What a BIOS service reads and leaves behind. The order is POPAD's.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Registers {
    /// EDI.
    pub edi: u32,
    /// ESI; with DS = 0, so it can name structures below 64 KB.
    pub esi: u32,
    /// EBP.
    pub ebp: u32,
    unused_esp: u32,
    /// EBX.
    pub ebx: u32,
    /// EDX.
    pub edx: u32,
    /// ECX.
    pub ecx: u32,
    /// EAX: the function in AH.
    pub eax: u32,
    /// ES.
    pub es: u16,
    /// The flags afterwards.
    pub flags: Flags,
}

impl Registers {
    /// All zero but EAX.
    #[inline(never)]
    pub const fn new(eax: u32) -> Self {
        let flags = Flags::empty();
        Self { edi: 0, esi: 0, ebp: 0, unused_esp: 0, ebx: 0, edx: 0, ecx: 0, eax, es: 0, flags }
    }

    /// Did the service set the carry flag?
    pub fn carry(&self) -> bool {
        self.flags.contains(Flags::CARRY)
    }
}

unsafe extern "C" {
    fn bios_interrupt(registers: *mut Registers, vector: u32);
}

/// Calls the service behind interrupt `vector` and enters unreal mode again.
///
/// # Safety
/// What the registers name must be the service's to read or write.
pub unsafe fn call(vector: u8, registers: &mut Registers) {
    // SAFETY: the caller's promise; the thunk keeps what Rust counts on.
    unsafe { bios_interrupt(registers, vector.into()) }
}

// IN: cdecl, (Registers *, vector). CLOBBER: cdecl's. The vector is called as INT would, but by a far
// return: the three words that IRET takes back are pushed first, then the handler's address, then
// the registers for POPAD. Interrupts are on afterwards, whatever the service left. ES is the service's until it is
// read: the handlers of interrupts keep it, and a push cannot fault.
global_asm!(
    ".section .text.bios_interrupt, \"ax\"",
    "bios_interrupt:",
    "pushl %ebp",
    "pushl %ebx",
    "pushl %esi",
    "pushl %edi",
    "movl 20(%esp), %esi", // registers
    "movl 24(%esp), %ebx", // vector
    "sti",
    "pushfw",
    "pushw %cs",
    "pushw $2f",
    "pushl (,%ebx,4)", // the handler's CS:IP from the vector table
    "pushl 28(%esi)",  // eax
    "pushl 24(%esi)",  // ecx
    "pushl 20(%esi)",  // edx
    "pushl 16(%esi)",  // ebx
    "pushl $0",        // esp: POPAD skips it
    "pushl 8(%esi)",   // ebp
    "pushl 4(%esi)",   // esi
    "pushl 0(%esi)",   // edi
    "movw 32(%esi), %es",
    "cli", // as INT does it
    "popal",
    "lretw",
    "2:",
    "movzwl %sp, %esp",
    "pushfl",
    "cld",
    "pushal",
    "movw %es, %dx",
    "xorw %ax, %ax",
    "movw %ax, %ds",
    "movw %ax, %es",
    "movl 56(%esp), %edi", // registers again: above POPAD's 32, flags, our four, return address
    "movw %dx, 32(%edi)",
    "movl 32(%esp), %eax",
    "movw %ax, 34(%edi)",
    "movl %esp, %esi",
    "movl $8, %ecx",
    "rep movsl (%esi), %es:(%edi)",
    "addl $36, %esp",
    "calll {enter}",
    "sti",
    "popl %edi",
    "popl %esi",
    "popl %ebx",
    "popl %ebp",
    "retl",
    enter = sym unreal::enter_at_boot,
    options(att_syntax),
);

const _: () = {
    assert!(core::mem::offset_of!(Registers, eax) == 28);
    assert!(core::mem::offset_of!(Registers, es) == 32);
    assert!(core::mem::offset_of!(Registers, flags) == 34);
};
