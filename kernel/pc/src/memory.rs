//! What the compiler calls to copy, fill and compare memory: the CPU's string instructions, a seventh of the code
//! that `compiler_builtins` has for it.
//!
//! The direction flag is never set: a BIOS's interrupt handler might not expect it.
use core::arch::global_asm;

// C's functions, cdecl: arguments on the stack, EAX the answer. ESI and EDI are kept.
global_asm!(
    ".section .text.memory, \"ax\"",
    ".global memcpy, memmove, memset, memcmp, bcmp",
    // (to, from, bytes) -> to
    "memcpy:",
    "memmove:",
    "pushl %esi",
    "pushl %edi",
    "movl 12(%esp), %edi",
    "movl 16(%esp), %esi",
    "movl 20(%esp), %ecx",
    "movl %edi, %eax",
    "movl %edi, %edx",
    "subl %esi, %edx",
    "cmpl %ecx, %edx",
    "jb 2f", // `to` lies within `from`
    "movl %ecx, %edx",
    "shrl $2, %ecx",
    "rep movsl (%esi), %es:(%edi)",
    "movl %edx, %ecx",
    "andl $3, %ecx",
    "rep movsb (%esi), %es:(%edi)",
    "jmp 4f",
    "3:", // from the end
    "movb (%esi,%ecx), %dl",
    "movb %dl, (%edi,%ecx)",
    "2:",
    "decl %ecx",
    "jns 3b",
    "4:",
    "popl %edi",
    "popl %esi",
    "retl",
    // (to, byte, bytes) -> to
    "memset:",
    "pushl %edi",
    "movl 8(%esp), %edi",
    "movzbl 12(%esp), %eax",
    "movl 16(%esp), %edx",
    "imull $0x01010101, %eax, %eax", // the byte four times
    "movl %edx, %ecx",
    "shrl $2, %ecx",
    "rep stosl %eax, %es:(%edi)",
    "movl %edx, %ecx",
    "andl $3, %ecx",
    "rep stosb %al, %es:(%edi)",
    "movl 8(%esp), %eax",
    "popl %edi",
    "retl",
    // (left, right, bytes) -> less, equal or more than 0, as left is to right
    "memcmp:",
    "bcmp:",
    "pushl %esi",
    "pushl %edi",
    "movl 12(%esp), %esi",
    "movl 16(%esp), %edi",
    "movl 20(%esp), %ecx",
    "xorl %eax, %eax", // equal, where there are no bytes
    "repe cmpsb %es:(%edi), (%esi)",
    "je 5f",
    "sbbl %eax, %eax",
    "orl $1, %eax",
    "5:",
    "popl %edi",
    "popl %esi",
    "retl",
    options(att_syntax),
);
