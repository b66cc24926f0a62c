//! How a processor sleeps, and how another one wakes it.
//!
//! It halts, and an interrupt ends that. Its handler does nothing: that the interrupt came is all that the sleeper
//! needs to know.
//!
//! To a worker it can only come at the HLT below, as workers run with interrupts off, and its local APIC is told
//! there that it has come. To the first processor it may come late, anywhere, where a BIOS may have its own limits in
//! the segments; so the local APIC is told before the next sleep. Until then it holds back the next one, and nothing
//! else: the interrupts of the BIOS's controller know no priorities here (ExtINT).
//!
//! Source: Intel SDM vol. 3A, 11.5.1 (local vector table), 11.6.1 (interrupt command register), 11.8.5 (EOI), 11.9
//! (spurious interrupts).
use crate::local_apic::LocalApic;
use crate::{interrupts, linear, unreal};
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

/// Wakes all workers that sleep. One that does not will wake at once the next time that it falls asleep, and a
/// processor that is none of ours returns to what it did.
pub fn wake_workers(first: LocalApic) {
    first.interrupt_others(WAKE_UP);
}

/// Wakes the processor with the local APIC `id`, the first one.
pub fn wake_first(own: LocalApic, id: u8) {
    own.interrupt(id, WAKE_UP);
}

/// Sleeps on the first processor until it is woken or something else interrupts it, if it `must` still. Nothing that
/// is sent after `must` looked is missed: interrupts are off from before it until HLT.
pub fn first_until_woken(first: LocalApic, must: impl FnOnce() -> bool) {
    interrupts::disable();
    // SAFETY: CS and SS are the program's, whose other segments are 0. With interrupts off nothing brings the limits
    // back where the last one took them.
    unsafe { unreal::enter() };
    first.end_interrupt();
    if must() {
        interrupts::wait();
    } else {
        interrupts::enable();
    }
}

/// Sleeps on a worker until it is woken. Interrupts are off before and after: one that comes before HLT waits for STI, and STI lets
/// none in before the instruction after it has begun.
pub fn until_woken(own: LocalApic) {
    // SAFETY: the one interrupt that can come has its handler, and the stack is this processor's.
    unsafe { asm!("sti", "hlt", "cli", options(nostack)) };
    own.end_interrupt();
}
