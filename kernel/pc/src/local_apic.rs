//! The local APIC, as far as one processor starts, stops and wakes others with it.
//!
//! Source: Intel SDM vol. 3A, chapter 11 (APIC), 9.4.4 (MP initialization: INIT, SIPI, SIPI).
use crate::clock::Clock;
use crate::linear;

/// Registers, as offsets from the APIC's base.
const ID: u32 = 0x20;
const END_OF_INTERRUPT: u32 = 0xB0;
const SPURIOUS_VECTOR: u32 = 0xF0;
const INTERRUPT_COMMAND_LOW: u32 = 0x300;
const INTERRUPT_COMMAND_HIGH: u32 = 0x310;
const LVT_LINT0: u32 = 0x350;
const LVT_LINT1: u32 = 0x360;
/// ID and interrupt command: the APIC id is in the highest byte.
const ID_SHIFT: u32 = 24;
/// Spurious vector: switches the APIC on.
const SOFTWARE_ENABLE: u32 = 1 << 8;
/// Entry of the local vector table: its interrupt does not come.
const MASKED: u32 = 1 << 16;
/// Interrupt command, delivery mode: the interrupt of a vector, INIT, a start-up IPI.
const FIXED: u32 = 0b000 << 8;
const INIT: u32 = 0b101 << 8;
const START_UP: u32 = 0b110 << 8;
/// Interrupt command: level "assert"; to all but this processor; delivery status "send pending".
const ASSERT: u32 = 1 << 14;
const ALL_EXCLUDING_SELF: u32 = 0b11 << 18;
const SEND_PENDING: u32 = 1 << 12;
/// How often "send pending" is read before it is ignored.
const PATIENCE: u32 = 1_000_000;
/// Waits of the start-up protocol.
const AFTER_INIT_MICROS: u64 = 10_000;
const AFTER_START_UP_MICROS: u64 = 200;

/// This processor's local APIC.
#[derive(Clone, Copy)]
pub struct LocalApic {
    base: u32,
}

impl LocalApic {
    /// # Safety
    /// `base` must be where the local APIC's registers are.
    pub const unsafe fn new(base: u32) -> Self {
        Self { base }
    }

    /// Switches it on, as INIT or the BIOS may have left it off. Its spurious interrupts come as `spurious_vector`.
    pub fn enable(self, spurious_vector: u8) {
        self.write(SPURIOUS_VECTOR, SOFTWARE_ENABLE | u32::from(spurious_vector));
    }

    /// Lets nothing come from this processor's pins: neither the PIC's interrupts nor NMI.
    pub fn mask_pins(self) {
        self.write(LVT_LINT0, MASKED);
        self.write(LVT_LINT1, MASKED);
    }

    /// The id of this processor.
    pub fn id(self) -> u8 {
        (self.read(ID) >> ID_SHIFT) as u8
    }

    /// Stops the processor `id`: after INIT it waits for a start-up IPI and costs nothing.
    pub fn stop(self, id: u8) {
        self.command(id, INIT | ASSERT);
    }

    /// Lets the protocol's time after INIT pass.
    pub fn wait_after_stop(self, clock: &Clock) {
        wait(clock, AFTER_INIT_MICROS);
    }

    /// Starts the stopped processor `id` in real mode at the 4 KB page `page`: CS = page · 100h, IP = 0.
    pub fn start(self, id: u8, page: u8, clock: &Clock) {
        for _ in 0..2 {
            self.command(id, START_UP | ASSERT | u32::from(page));
            wait(clock, AFTER_START_UP_MICROS);
        }
    }

    /// Interrupts the processor `id` with `vector`.
    pub fn interrupt(self, id: u8, vector: u8) {
        self.command(id, FIXED | ASSERT | u32::from(vector));
    }

    /// Interrupts all other processors with `vector`. One that waits for a start-up IPI does not hear it.
    pub fn interrupt_others(self, vector: u8) {
        self.command(0, FIXED | ASSERT | ALL_EXCLUDING_SELF | u32::from(vector));
    }

    /// Says that this processor's interrupt is dealt with, so that another may come. Without one it does nothing.
    pub fn end_interrupt(self) {
        self.write(END_OF_INTERRUPT, 0);
    }

    fn command(self, id: u8, low: u32) {
        self.write(INTERRUPT_COMMAND_HIGH, u32::from(id) << ID_SHIFT);
        self.write(INTERRUPT_COMMAND_LOW, low);
        let _ = (0..PATIENCE).find(|_| self.read(INTERRUPT_COMMAND_LOW) & SEND_PENDING == 0);
    }

    fn read(self, register: u32) -> u32 {
        // SAFETY: `new`'s caller promised that the registers are there; reading them changes nothing.
        unsafe { linear::pointer::<u32>(self.base + register).read_volatile() }
    }

    fn write(self, register: u32, value: u32) {
        // SAFETY: as above; the registers that are written do what the methods above say, to interrupts
        // and other processors, and touch no memory.
        unsafe { linear::pointer::<u32>(self.base + register).write_volatile(value) }
    }
}

fn wait(clock: &Clock, micros: u64) {
    let start = clock.now();
    while clock.micros_since(start) < micros {
        core::hint::spin_loop();
    }
}
