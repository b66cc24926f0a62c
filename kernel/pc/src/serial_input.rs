//! Bytes that come in on the serial port: an interrupt handler puts them into a ring, so that none
//! is lost while the model thinks and an idle machine can sleep.
//!
//! Source: National Semiconductor PC16550D data sheet.
use crate::serial::COM1;
use crate::{faults, pic, port};
use core::arch::global_asm;
use core::cell::UnsafeCell;
use core::sync::atomic::{AtomicU8, Ordering};
use uart_16550::spec::registers::{IER, LSR, MCR, offsets};

/// Modem control: terminal ready, OUT2 (which lets the interrupt through), and ready for bytes (RTS).
const READY: MCR = MCR::DTR.union(MCR::OUT_2_INT_ENABLE).union(MCR::RTS);

/// The port of a register of the UART.
const fn register(offset: usize) -> u16 {
    COM1 + offset as u16
}

/// 256 bytes, so that the indices wrap by themselves. One byte stays free: equal indices mean empty.
#[repr(C)]
struct Ring {
    bytes: [UnsafeCell<u8>; 256],
    /// Where the handler writes next.
    head: AtomicU8,
    /// Where the kernel reads next.
    tail: AtomicU8,
    /// The ring was full: the handler told the other side to wait and switched its interrupt off.
    closed: AtomicU8,
}

// SAFETY: a byte is written by the handler before it moves `head` over it, and read only after that
// and before `tail` moves over it.
unsafe impl Sync for Ring {}

static RING: Ring = Ring {
    bytes: [const { UnsafeCell::new(0) }; 256],
    head: AtomicU8::new(0),
    tail: AtomicU8::new(0),
    closed: AtomicU8::new(0),
};

// IN: an interrupt frame on whatever stack was in use, IRQ 4 in service, interrupts off. OUT: all
// registers as they were. Loading DS in real mode changes its base only, so its limit stays flat.
global_asm!(
    ".section .text.serial_interrupt, \"ax\"",
    "serial_interrupt:",
    "pushw %ax",
    "pushw %bx",
    "pushw %dx",
    "pushw %ds",
    "xorw %ax, %ax",
    "movw %ax, %ds",
    "2:",
    "movw ${line_status}, %dx",
    "inb %dx, %al",
    "testb ${data_ready}, %al",
    "jz 4f",
    "movzbw {ring} + {head}, %bx",
    "movb %bl, %ah",
    "incb %ah",
    "cmpb {ring} + {tail}, %ah",
    "je 3f",
    "movw ${data}, %dx",
    "inb %dx, %al",
    "movb %al, {ring}(%bx)",
    "movb %ah, {ring} + {head}",
    "jmp 2b",
    "3:", // full
    "movb $1, {ring} + {closed}",
    "movw ${interrupt_enable}, %dx",
    "xorb %al, %al",
    "outb %al, %dx",
    "movw ${modem_control}, %dx",
    "movb ${not_ready}, %al",
    "outb %al, %dx",
    "4:",
    "movb ${end_of_interrupt}, %al",
    "outb %al, ${pic}",
    "popw %ds",
    "popw %dx",
    "popw %bx",
    "popw %ax",
    "iretw",
    line_status = const register(offsets::LSR),
    data_ready = const LSR::DATA_READY.bits(),
    data = const register(offsets::DATA),
    interrupt_enable = const register(offsets::IER),
    modem_control = const register(offsets::MCR),
    not_ready = const READY.difference(MCR::RTS).bits(),
    end_of_interrupt = const pic::END_OF_INTERRUPT,
    pic = const pic::COMMAND,
    ring = sym RING,
    head = const core::mem::offset_of!(Ring, head),
    tail = const core::mem::offset_of!(Ring, tail),
    closed = const core::mem::offset_of!(Ring, closed),
    options(att_syntax),
);

unsafe extern "C" {
    fn serial_interrupt();
}

/// Begins to listen. The UART must have been set up.
pub fn listen() {
    faults::set_irq4_handler(serial_interrupt);
    open();
    pic::unmask(pic::COM1_IRQ);
}

/// Lets bytes come.
fn open() {
    RING.closed.store(0, Ordering::Relaxed);
    // SAFETY: COM1 is ours. Only interrupts and the handshake change, which `serial` does not use.
    unsafe {
        port::write_u8(register(offsets::MCR), READY.bits());
        port::write_u8(register(offsets::IER), IER::DATA_READY.bits());
    }
}

/// Has nothing come that was not read?
pub fn is_empty() -> bool {
    RING.head.load(Ordering::Acquire) == RING.tail.load(Ordering::Relaxed)
}

/// The next byte, if one has come.
pub fn read() -> Option<u8> {
    if is_empty() {
        // All is read, so there is room again.
        if RING.closed.load(Ordering::Relaxed) != 0 {
            open();
        }
        return None;
    }
    let tail = RING.tail.load(Ordering::Relaxed);
    // SAFETY: `head` has moved over this byte, so the handler has written it and will not again
    // before `tail` moves on.
    let byte = unsafe { RING.bytes[usize::from(tail)].get().read_volatile() };
    RING.tail.store(tail.wrapping_add(1), Ordering::Release);
    Some(byte)
}
