//! How a worker sleeps, and how it is woken.
//!
//! It halts, and an interrupt from the first processor ends that. Its handler does nothing: that the interrupt came
//! is all that the worker needs to know. It can only come at the HLT below, as workers run with interrupts off.
//!
//! Source: Intel SDM vol. 3A, 11.5.1 (local vector table), 11.6.1 (interrupt command register), 11.8.5 (EOI), 11.9
//! (spurious interrupts).
use crate::linear;
use crate::local_apic::LocalApic;
use core::arch::{asm, global_asm};
use map::low_memory::PROGRAM_CS;

/// The interrupt's vector, the sixth of those that are left to programs (60h to 66h, Ralf Brown's interrupt list): the
/// first five keep the BIOS's handlers ([`crate::faults`]).
const WAKE_UP: u8 = 0x65;
/// The vector of spurious interrupts, with the same handler: being woken for nothing does no harm. No BIOS uses it, and
/// older local APICs have ones in its four lowest bits.
const SPURIOUS: u8 = 0x6F;

global_asm!(".section .text.wake_up, \"ax\"", "wake_up:", "iretw", options(att_syntax),);

unsafe extern "C" {
    fn wake_up();
}

/// Sets the handler, and makes `first`, the local APIC of the first processor, one that can wake others.
pub fn prepare(first: LocalApic) {
    let handler = u32::from(PROGRAM_CS) << 16 | wake_up as *const () as usize as u32;
    for vector in [WAKE_UP, SPURIOUS] {
        // SAFETY: the entry of a vector that is nobody else's; the handler is in our code segment.
        unsafe { linear::pointer::<u32>(u32::from(vector) * 4).write_volatile(handler) };
    }
    first.enable(SPURIOUS);
}

/// Lets this processor, whose local APIC is `own`, be woken, and be interrupted by nothing else.
pub fn can_be_woken(own: LocalApic) {
    own.mask_pins();
    own.enable(SPURIOUS);
}

/// Wakes all that sleep. One that does not will wake at once the next time that it falls asleep, and a processor that
/// is none of ours returns to what it did.
pub fn wake(first: LocalApic) {
    first.interrupt_others(WAKE_UP);
}

/// Sleeps until woken. Interrupts are off before and after: one that comes before HLT waits for STI, and STI lets
/// none in before the instruction after it has begun.
pub fn until_woken(own: LocalApic) {
    // SAFETY: the one interrupt that can come has its handler, and the stack is this processor's.
    unsafe { asm!("sti", "hlt", "cli", options(nostack)) };
    own.end_interrupt();
}
