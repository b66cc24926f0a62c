//! What happens when the CPU faults: unreal mode again, where a BIOS took it away, or else a sentence
//! with CS:IP instead of a silent hang in the BIOS.
//!
//! **Which faults are real.** A BIOS's interrupt handler may go through protected mode and leave segment
//! limits of its own; the next access above them faults. So a fault with interrupts on is tried again:
//! unreal mode is entered, and the instruction, which has changed nothing (Intel SDM vol. 3A, 6.6), runs
//! once more, alone: with interrupts off and the trap flag set, so that INT 1 comes right after it and
//! turns interrupts on. If it faults again, no handler can have taken a limit in between: the fault is
//! real. A fault with interrupts off is real whenever it comes: code of ours that turns them off touches
//! nothing above 64 KB before it has entered unreal mode, and on the other processors they are never
//! on. A trial does an instruction (of `rep movs`, a step) or ends the run, so nothing goes round in
//! circles, however often interrupts come; and no fault that an interrupt has caused is taken for real.
//!
//! A fault in the BIOS's own code is real, too: it has set its segments itself, to limits that only it knows.
//!
//! Vectors 0Ch and 0Dh are shared: the BIOS's interrupt controller delivers IRQ 4 and IRQ 5 there
//! too, where interrupts were on. Its in-service register tells them apart. Sources: Intel SDM vol. 3A,
//! 6.15, 18.3.1.4 (single steps) and 21.1 (real mode: no error codes); Intel 8259A data sheet.
use crate::ending::last_words;
use crate::processors::start;
use crate::{interrupts, linear, pic, unreal};
use core::arch::global_asm;
use core::sync::atomic::{AtomicU32, Ordering};
use map::low_memory::PROGRAM_CS;
use x86_64::registers::rflags::RFlags;

/// The vectors with a handler of ours.
const DIVIDE: u32 = 0x00;
const SINGLE_STEP: u32 = 0x01;
const INVALID_OPCODE: u32 = 0x06;
const STACK_FAULT: u32 = 0x0C;
const GENERAL_PROTECTION: u32 = 0x0D;
/// Where the BIOS's handlers are kept, in the order of [`HANDLERS`]: PCs leave interrupts 60h to 66h to
/// programs (Ralf Brown's list). No static has changed when the loader looks at its own CRC.
const KEPT: u32 = 0x60;
const BYTES_PER_VECTOR: u32 = 4;

/// The instruction `ud2`, which stands where the code would panic.
const UD2: u16 = u16::from_le_bytes([0x0F, 0x0B]);

const _: () = assert!(STACK_FAULT == pic::FIRST_VECTOR + pic::COM1_IRQ as u32);

// IN: an interrupt frame (IP, CS, FLAGS) on whatever stack was in use; DS unknown, interrupts off.
global_asm!(
    ".section .text.exceptions, \"ax\"",
    "stack_fault:",
    "pushw ${stack}",
    "jmp 2f",
    "general_protection:",
    "pushw ${protection}",
    "2:",
    "pushw %ax", // room: with the vector's it holds the address of an IRQ's handler
    "pushw %bp",
    "movw %sp, %bp", // BP, room, vector, IP, CS, FLAGS
    "testb ${if_high}, 11(%bp)",
    "jz 4f",
    "pushw %ax",
    "pushw %bx",
    "pushw %ds",
    "xorw %bx, %bx",
    "movw %bx, %ds",
    "movw 4(%bp), %bx",
    "movb ${read_isr}, %al",
    "outb %al, ${pic}",
    "inb ${pic}, %al",
    "movb %al, %ah",
    "movb ${read_irr}, %al",
    "outb %al, ${pic}", // the BIOS expects to read requests
    "btw %bx, %ax",     // vector 8 + n is IRQ n, bit n of AH
    "jc 3f",
    "cmpw ${cs}, 8(%bp)",
    "popw %ds",
    "popw %bx",
    "popw %ax",
    "jne 4f",
    "xorb ${if_high} | {tf_high}, 11(%bp)",
    "calll {enter_again}", // all segments are 0 in our code, before and after
    "popw %bp",
    "addw $4, %sp",
    "iretw",
    "3:", // an IRQ goes on to its handler, all registers as they were
    "shlw $2, %bx",
    "pushl {kept} - {per_vector} * {stack}(%bx)",
    "popl 2(%bp)",
    "popw %ds",
    "popw %bx",
    "popw %ax",
    "popw %bp",
    "lretw",
    "4:",
    "popw %bp",
    "popw %ax",
    "jmp exception",
    // After an instruction that was tried again.
    "single_step:",
    "pushw %bp",
    "movw %sp, %bp",
    "andb $~{tf_high}, 7(%bp)",
    "orb ${if_high}, 7(%bp)",
    "popw %bp",
    "iretw",
    "divide_error:",
    "pushw ${divide}",
    "jmp exception",
    "invalid_opcode:",
    "pushw ${opcode}",
    // IN: vector, IP, CS on the stack. It never returns, so the first processor takes its stack from the
    // top; the others have stacks of their own, below its. In unreal mode, whose loss may be the cause.
    "exception:",
    "popw %ax",
    "popw %bx",
    "popw %cx",
    "movw %sp, %dx",
    "xorw %si, %si",
    "movw %si, %ds",
    "cmpw ${cs}, %cx", // the BIOS runs on the first processor alone, on any stack
    "jne 5f",
    "cmpw {ap_stack}, %dx",
    "jb 6f",
    "5:",
    "movw $-1, %dx",
    "movl $__stack_top, %esp",
    "6:",
    "movw %si, %ss",
    "cld",
    "calll {enter}",
    "andl $-16, %esp", // the stack is aligned to 16 at each call
    "pushl %esi",
    "pushw %si",
    "pushw %dx",
    "pushw %si",
    "pushw %cx",
    "pushw %ax",
    "pushw %bx",
    "calll {report}",
    "7: hlt",
    "jmp 7b",
    read_isr = const pic::READ_ISR,
    read_irr = const pic::READ_IRR,
    pic = const pic::COMMAND,
    if_high = const RFlags::INTERRUPT_FLAG.bits() >> 8,
    tf_high = const RFlags::TRAP_FLAG.bits() >> 8,
    divide = const DIVIDE,
    opcode = const INVALID_OPCODE,
    stack = const STACK_FAULT,
    protection = const GENERAL_PROTECTION,
    cs = const PROGRAM_CS,
    kept = const KEPT * BYTES_PER_VECTOR,
    per_vector = const BYTES_PER_VECTOR,
    ap_stack = sym start::STACK,
    enter = sym unreal::enter,
    enter_again = sym unreal::enter_at_boot,
    report = sym report,
    options(att_syntax),
);

unsafe extern "C" {
    fn stack_fault();
    fn general_protection();
    fn divide_error();
    fn single_step();
    fn invalid_opcode();
}

/// Our handlers, by vector. The first two are of exceptions that share theirs with an IRQ.
static HANDLERS: [(u32, unsafe extern "C" fn()); 5] = [
    (STACK_FAULT, stack_fault),
    (GENERAL_PROTECTION, general_protection),
    (DIVIDE, divide_error),
    (SINGLE_STEP, single_step),
    (INVALID_OPCODE, invalid_opcode),
];

/// A vector's entry in the interrupt vector table: its handler's offset and segment.
fn entry(vector: u32) -> *mut u32 {
    linear::pointer(vector * BYTES_PER_VECTOR)
}

/// Makes a function of ours, which takes an interrupt frame and returns by IRET, a vector's handler.
fn set_handler(vector: u32, handler: unsafe extern "C" fn()) {
    // A function's address is its offset in our code segment.
    let address = u32::from(PROGRAM_CS) << 16 | handler as usize as u32;
    // SAFETY: one aligned store; an interrupt sees the old handler or the new one.
    unsafe { entry(vector).write_volatile(address) };
}

/// Makes `handler` the one of IRQ 4: where a stack fault's goes on to when it is none.
pub fn set_irq4_handler(handler: unsafe extern "C" fn()) {
    set_handler(KEPT, handler);
}

/// Copies a vector's handler to another vector.
fn copy_handler(from: u32, to: u32) {
    // SAFETY: entries of the table; what stands in one is an address or zero.
    unsafe { entry(to).write_volatile(entry(from).read_volatile()) };
}

/// Puts our handlers into the interrupt vector table and keeps the BIOS's. Interrupts are off.
pub fn install() {
    for (kept, &(vector, handler)) in (KEPT..).zip(&HANDLERS) {
        copy_handler(vector, kept);
        set_handler(vector, handler);
    }
}

/// Puts the BIOS's handlers back, for a program whose code makes room for another's. Interrupts are
/// off from here on.
pub fn uninstall() {
    interrupts::disable();
    // SAFETY: CS and SS are the program's, whose other segments are 0. The last interrupt may have taken
    // the limits, and from here on no fault brings them back.
    unsafe { unreal::enter() };
    for (kept, &(vector, _)) in (KEPT..).zip(&HANDLERS) {
        copy_handler(kept, vector);
    }
}

/// Where a fault has its vector and its processor's number, the first one's being 1. IP is below.
const VECTOR_SHIFT: u32 = 16;
const PROCESSOR_SHIFT: u32 = 24;
/// The first fault of another processor, for the first one to tell. 0: none.
static OF_ANOTHER: AtomicU32 = AtomicU32::new(0);

/// From the handlers. Only the first processor prints, so that words come out whole; another one leaves
/// its fault, and then stops.
extern "C" fn report(vector_and_ip: u32, cs: u32, sp: u32) {
    let worker = start::worker_at(sp);
    let fault = (worker + 1) << PROCESSOR_SHIFT | vector_and_ip;
    if worker == 0 {
        tell(cs, fault);
    }
    let _ = OF_ANOTHER.compare_exchange(0, fault, Ordering::Release, Ordering::Relaxed);
}

/// Tells, as the first processor, that another one has faulted, if so. Whoever waits for the others calls it.
pub fn check_others() {
    let fault = OF_ANOTHER.load(Ordering::Acquire);
    if fault != 0 {
        tell(PROGRAM_CS.into(), fault);
    }
}

/// What a vector's exceptions are. A table, as constants cost the code segment nothing.
static CAUSES: [&str; 16] = {
    let mut causes = [""; 16];
    causes[DIVIDE as usize] = "00h (divide error)";
    causes[FAILED_CHECK] = "06h (a check of unreallm's own code failed)";
    causes[INVALID_OPCODE as usize] = "06h (invalid opcode)";
    causes[STACK_FAULT as usize] = "0Ch (stack segment)";
    causes[GENERAL_PROTECTION as usize] = "0Dh (general protection)";
    causes
};
/// The place of an [`INVALID_OPCODE`] that is [`UD2`].
const FAILED_CHECK: usize = INVALID_OPCODE as usize + 1;

#[cold]
fn tell(cs: u32, fault: u32) -> ! {
    let (vector, ip, processor) = (fault >> VECTOR_SHIFT, fault & 0xFFFF, fault >> PROCESSOR_SHIFT);
    // SAFETY: the CPU has just fetched the instruction, and memory below 2 MiB may be read.
    let opcode = unsafe { linear::pointer::<u16>(cs * 16 + ip).read_unaligned() };
    let failed_check = opcode == UD2 && vector as u8 == INVALID_OPCODE as u8;
    let cause = CAUSES[(vector as usize + usize::from(failed_check)) % CAUSES.len()];
    let on = if processor > 1 { format_args!(" on processor {processor}") } else { format_args!("") };
    last_words(format_args!("\nunreallm: exception {cause} at CS:IP {cs:04x}:{ip:04x}{on}"))
}
