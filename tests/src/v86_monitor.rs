//! A floppy whose boot sector runs the hard disk's in virtual-8086 mode, as the memory managers of DOS
//! do. Nothing there can enter unreal mode, so our boot sector must notice.
//!
//! The monitor knows only what comes before that: CLI, STI, HLT, and INT 10h, which puts AL on the
//! screen. It ends at anything else. Source: Intel SDM vol. 3A, 21.2.
use core::arch::global_asm;

/// Bytes of a 1.44 MB floppy.
const FLOPPY: usize = 1_474_560;
/// Bytes of a sector.
const SECTOR: usize = 512;

/// The floppy; `None` on a host that is no x86 and so cannot assemble it.
pub fn floppy() -> Option<Vec<u8>> {
    let code = code()?;
    assert!(code.len() <= SECTOR - 2);
    let mut floppy = vec![0; FLOPPY];
    floppy[..code.len()].copy_from_slice(code);
    floppy[SECTOR - 2..SECTOR].copy_from_slice(&[0x55, 0xAA]);
    Some(floppy)
}

#[cfg(any(target_arch = "x86_64", target_arch = "x86"))]
fn code() -> Option<&'static [u8]> {
    unsafe extern "C" {
        static v86_monitor: u8;
        static v86_monitor_end: u8;
    }
    // SAFETY: the assembly below puts the labels around bytes in read-only data, which stay there.
    Some(unsafe {
        let (start, end) = (&raw const v86_monitor, &raw const v86_monitor_end);
        core::slice::from_raw_parts(start, end.offset_from_unsigned(start))
    })
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "x86")))]
fn code() -> Option<&'static [u8]> {
    None
}

// It moves itself to 0x7000:0; all addresses are differences of labels, or these plus 0x70000. AT&T
// syntax: source first.
#[cfg(any(target_arch = "x86_64", target_arch = "x86"))]
global_asm!(
    ".pushsection .rodata.v86_monitor, \"a\"",
    ".code16",
    ".global v86_monitor",
    "v86_monitor:",
    "cli",
    "cld",
    "xorw %ax, %ax",
    "movw %ax, %ds",
    "movw %ax, %ss",
    "movw $0x7C00, %sp",
    "movw $0x7000, %ax",
    "movw %ax, %es",
    "movw $0x7C00, %si",
    "xorw %di, %di",
    "movw $256, %cx",
    "rep movsw",
    "ljmp $0x7000, $(moved - v86_monitor)",
    "moved:",
    "xorw %ax, %ax",
    "movw %ax, %es",
    "movw $0x0201, %ax", // AH=02h: read one sector
    "movw $0x7C00, %bx",
    "movw $1, %cx",
    "movw $0x0080, %dx", // head 0, the first hard disk
    "int $0x13",
    "cli",
    "lgdtl %cs:(gdt_register - v86_monitor)",
    "lidtl %cs:(idt_register - v86_monitor)",
    "movl %cr0, %eax",
    "orb $1, %al",
    "movl %eax, %cr0",
    "ljmpl $8, $(0x70000 + protected - v86_monitor)",
    ".code32",
    "protected:",
    "movl $16, %eax",
    "movl %eax, %ds",
    "movl %eax, %ss",
    "movl $0x7F000, %esp",
    "movl %esp, 0x71004", // the TSS: ESP0
    "movl %eax, 0x71008", // SS0
    "movw $104, 0x71066", // no map of I/O ports: all are refused
    "movl $24, %eax",
    "ltrw %ax",
    "xorl %eax, %eax",
    "pushl %eax", // GS, FS, DS, ES, SS
    "pushl %eax",
    "pushl %eax",
    "pushl %eax",
    "pushl %eax",
    "pushl $0x7C00",  // ESP
    "pushl $0x20002", // EFLAGS: VM
    "pushl %eax",     // CS
    "pushl $0x7C00",  // EIP
    "movl $0x80, %edx",
    "iretl",
    // IN: on the stack the error code, EIP, CS, EFLAGS, ESP, SS of virtual-8086 mode. DS is empty.
    "refused_instruction:",
    "pushl %ebx",
    "movl 12(%esp), %ebx",
    "shll $4, %ebx",
    "addl 8(%esp), %ebx",
    "cmpb $0xFA, %ss:(%ebx)", // CLI
    "je 1f",
    "cmpb $0xFB, %ss:(%ebx)", // STI
    "je 1f",
    "cmpw $0x10CD, %ss:(%ebx)", // INT 10h
    "je 2f",
    "3: hlt", // HLT, and all that is not known
    "jmp 3b",
    "2: movl %ss:(0x70000 + cursor - v86_monitor), %ebx",
    "movb %al, %ss:(%ebx)",
    "movb $7, %ss:1(%ebx)", // grey on black
    "addl $2, %ss:(0x70000 + cursor - v86_monitor)",
    "incl 8(%esp)",
    "1: incl 8(%esp)",
    "popl %ebx",
    "addl $4, %esp",
    "iretl",
    "cursor: .long 0xB8000 + 20 * 160", // row 20
    "gdt: .quad 0",
    ".quad 0x00CF9A000000FFFF", // code, 4 GB
    ".quad 0x00CF92000000FFFF", // data, 4 GB
    ".quad 0x0000890710000067", // the TSS at 0x71000, 104 bytes
    "gdt_register: .word 31",
    ".long 0x70000 + gdt - v86_monitor",
    // Only vector 0Dh has a gate; the table is said to begin so far before it.
    "gate: .word refused_instruction - v86_monitor, 8, 0x8E00, 7",
    "idt_register: .word 14 * 8 - 1",
    ".long 0x70000 + gate - v86_monitor - 13 * 8",
    ".global v86_monitor_end",
    "v86_monitor_end:",
    #[cfg(target_arch = "x86_64")]
    ".code64",
    #[cfg(target_arch = "x86")]
    ".code32",
    ".popsection",
    options(att_syntax),
);
