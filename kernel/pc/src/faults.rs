//! What happens when the CPU faults: a sentence with CS:IP instead of a silent hang in the BIOS. And
//! what happens when the clock ticks or a key is pressed: the BIOS's handlers may go through protected
//! mode and leave segment limits of their own, so unreal mode is entered again after each.
//!
//! Vectors 0Ch and 0Dh are shared: the BIOS's interrupt controller delivers IRQ 4 and IRQ 5 there
//! too. Its in-service register tells them apart. Sources: Intel SDM vol. 3A, 6.15 and 21.1; Intel
//! 8259A data sheet.
use crate::ending::last_words;
use crate::{interrupts, linear, pic, unreal};
use core::arch::global_asm;

/// The vectors with a handler of ours, and the IRQ line that shares or is each.
const DIVIDE: u32 = 0x00;
const INVALID_OPCODE: u32 = 0x06;
const STACK_FAULT: u32 = 0x0C;
const GENERAL_PROTECTION: u32 = 0x0D;
const CLOCK: u32 = 0x08;
const KEYBOARD: u32 = 0x09;
const IRQ4: u8 = 1 << pic::COM1_IRQ;
const IRQ5: u8 = 1 << 5;

/// The instruction `ud2`, which stands where the code would panic.
const UD2: [u8; 2] = [0x0F, 0x0B];

/// The BIOS's handlers: offset and segment, as the vector table held them, in the order of
/// [`VECTORS`]. The last four are called by ours; IRQ 4 gets another handler of ours there.
#[unsafe(no_mangle)]
static mut OLD_HANDLERS: [u32; VECTORS.len()] = [0; VECTORS.len()];
const VECTORS: [u32; 6] = [DIVIDE, INVALID_OPCODE, STACK_FAULT, GENERAL_PROTECTION, CLOCK, KEYBOARD];

// IN: an interrupt frame (IP, CS, FLAGS) on whatever stack was in use; DS unknown. If the IRQ is in
// service: goes on to its handler, all registers as they were. Otherwise: an exception, which
// never returns, so it takes the kernel's stack from its top, and unreal mode again, as its loss may
// be the cause.
global_asm!(
    ".section .text.exceptions, \"ax\"",
    ".macro shared_vector name, irq, old, vector",
    "\\name:",
    "subw $4, %sp", // room for the handler's address
    "pushw %ax",
    "pushw %bp",
    "pushw %ds",
    "movw %sp, %bp",
    "xorw %ax, %ax",
    "movw %ax, %ds",
    "movb ${in_service}, %al",
    "outb %al, ${pic}",
    "inb ${pic}, %al",
    "testb $\\irq, %al",
    "movb ${requests}, %al",
    "outb %al, ${pic}", // the BIOS expects to read requests
    "jz 2f",
    "movw \\old, %ax",
    "movw %ax, 6(%bp)",
    "movw \\old + 2, %ax",
    "movw %ax, 8(%bp)",
    "popw %ds",
    "popw %bp",
    "popw %ax",
    "lretw",
    "2:",
    "addw $10, %sp",
    "movw $\\vector, %ax",
    "jmp exception",
    ".endm",
    // IN: an interrupt frame, interrupts off, IRQ 0 or 1 in service. Calls the BIOS's handler. Where
    // our code was interrupted, whose segments are all 0, it goes on in unreal mode; a BIOS call
    // keeps its segments, and unreal mode is entered after it.
    "clock_tick:",
    "pushw ${old} + 16",
    "jmp 3f",
    "key_press:",
    "pushw ${old} + 20",
    "3:",
    "pushw %bp",
    "movw %sp, %bp",
    "pushw %ds",
    "pushw %bx",
    "xorw %bx, %bx",
    "movw %bx, %ds",
    "movw 2(%bp), %bx",
    "pushfw",
    "lcallw *(%bx)",
    "popw %bx",
    "popw %ds",
    "cmpw ${cs}, 6(%bp)",
    "jne 4f",
    "movzwl %sp, %esp",
    "calll {enter_again}",
    "4:",
    "popw %bp",
    "addw $2, %sp",
    "iretw",
    "divide_error:",
    "movw ${divide}, %ax",
    "jmp exception",
    "invalid_opcode:",
    "movw ${opcode}, %ax",
    "jmp exception",
    "shared_vector stack_fault, {irq4}, {old} + 8, {stack}",
    "shared_vector general_protection, {irq5}, {old} + 12, {protection}",
    "exception:",
    "popw %bx", // IP
    "popw %cx", // CS
    "xorw %dx, %dx",
    "movw %dx, %ss",
    "movl $__stack_top, %esp",
    "cld",
    "calll {enter}",
    "movzwl %bx, %ebx",
    "movzwl %cx, %ecx",
    "movzwl %ax, %eax",
    "subl $4, %esp", // the stack is aligned to 16 at each call
    "pushl %ebx",
    "pushl %ecx",
    "pushl %eax",
    "calll {report}",
    in_service = const pic::READ_ISR,
    requests = const pic::READ_IRR,
    pic = const pic::COMMAND,
    irq4 = const IRQ4,
    irq5 = const IRQ5,
    divide = const DIVIDE,
    opcode = const INVALID_OPCODE,
    stack = const STACK_FAULT,
    protection = const GENERAL_PROTECTION,
    cs = const map::low_memory::PROGRAM_CS,
    old = sym OLD_HANDLERS,
    enter = sym unreal::enter,
    enter_again = sym unreal::enter_at_boot,
    report = sym report,
    options(att_syntax),
);

unsafe extern "C" {
    fn divide_error();
    fn invalid_opcode();
    fn stack_fault();
    fn general_protection();
    fn clock_tick();
    fn key_press();
}

/// Makes `handler` the one of IRQ 4. It gets an interrupt frame, and returns by IRET.
pub fn set_irq4_handler(handler: unsafe extern "C" fn()) {
    let segment = u32::from(map::low_memory::PROGRAM_CS);
    // SAFETY: one aligned store; an interrupt sees the old handler or the new one.
    unsafe { (&raw mut OLD_HANDLERS[2]).write_volatile(segment << 16 | handler as usize as u32) };
}

/// A vector's entry in the interrupt vector table.
fn entry(vector: u32) -> *mut u32 {
    linear::pointer(vector * 4)
}

/// The BIOS's handlers that [`install`] replaced, in the order of [`VECTORS`].
pub struct Replaced([u32; VECTORS.len()]);

/// Puts our handlers of exceptions into the interrupt vector table. The BIOS's must be kept
/// ([`Replaced::keep`]) before interrupts are on; until then no static has changed.
#[must_use]
pub fn install() -> Replaced {
    let replaced = Replaced(VECTORS.map(|vector| {
        // SAFETY: the vector table's entries may be read.
        unsafe { entry(vector).read_volatile() }
    }));
    set_handlers(&VECTORS[..4], &[divide_error, invalid_opcode, stack_fault, general_protection]);
    replaced
}

impl Replaced {
    /// Keeps the BIOS's handlers where ours and [`uninstall`] find them. From then on those of clock
    /// and keyboard are called by ours, and interrupts are on: without a TSC the BIOS's ticks are the time.
    pub fn keep(self) {
        // SAFETY: interrupts are off, so nothing else looks at it.
        unsafe { OLD_HANDLERS = self.0 };
        set_handlers(&VECTORS[4..], &[clock_tick, key_press]);
        interrupts::enable();
    }
}

/// Sets vectors to functions of ours, which are handlers.
fn set_handlers(vectors: &[u32], handlers: &[unsafe extern "C" fn()]) {
    let segment = u32::from(map::low_memory::PROGRAM_CS);
    for (&vector, &handler) in vectors.iter().zip(handlers) {
        // SAFETY: the vector table's entries; a function's address is its offset in our code segment.
        unsafe { entry(vector).write_volatile(segment << 16 | handler as usize as u32) };
    }
}

/// Puts the BIOS's handlers back, for a program whose code makes room for another's. Interrupts are
/// off from here on.
pub fn uninstall() {
    interrupts::disable();
    for (i, vector) in VECTORS.into_iter().enumerate() {
        // SAFETY: [`Replaced::keep`] saved them.
        unsafe { entry(vector).write_volatile(OLD_HANDLERS[i]) };
    }
}

/// The first two bytes of the instruction at a real-mode address.
fn opcode(cs: u32, ip: u32) -> [u8; 2] {
    // SAFETY: the CPU has just fetched them, and memory below 2 MB may be read.
    unsafe { linear::pointer::<[u8; 2]>(cs * 16 + ip).read_volatile() }
}

extern "C" fn report(vector: u32, cs: u32, ip: u32) -> ! {
    let cause = match vector {
        DIVIDE => "divide error",
        INVALID_OPCODE if opcode(cs, ip) == UD2 => "a check of unreallm's own code failed",
        INVALID_OPCODE => "invalid opcode",
        STACK_FAULT => "stack segment",
        _ => "general protection",
    };
    last_words(format_args!("\nunreallm: exception {vector:02X}h ({cause}) at CS:IP {cs:04x}:{ip:04x}"))
}
