//! The local APIC, as far as one processor starts and stops others with it.
//!
//! Source: Intel SDM vol. 3A, chapter 11 (APIC), 9.4.4 (MP initialization: INIT, SIPI, SIPI).
use crate::clock::Clock;
use crate::linear;

/// Registers, as offsets from the APIC's base.
const ID: u32 = 0x20;
const SPURIOUS_VECTOR: u32 = 0xF0;
const COMMAND_LOW: u32 = 0x300;
const COMMAND_HIGH: u32 = 0x310;
/// ID and command: the APIC id is in the highest byte.
const ID_SHIFT: u32 = 24;
/// Spurious vector: switches the APIC on.
const SOFTWARE_ENABLE: u32 = 1 << 8;
/// Command: deliver INIT or a start-up IPI; level "assert"; not sent yet.
const DELIVER_INIT: u32 = 0b101 << 8;
const DELIVER_START_UP: u32 = 0b110 << 8;
const ASSERT: u32 = 1 << 14;
const PENDING: u32 = 1 << 12;
/// How often "not sent yet" is read before it is ignored.
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

    /// Switches it on, as the BIOS may have left it off.
    pub fn enable(self) {
        self.write(SPURIOUS_VECTOR, self.read(SPURIOUS_VECTOR) | SOFTWARE_ENABLE);
    }

    /// The id of this processor.
    pub fn id(self) -> u8 {
        (self.read(ID) >> ID_SHIFT) as u8
    }

    /// Stops the processor `id`: after INIT it waits for a start-up IPI and costs nothing.
    pub fn stop(self, id: u8) {
        self.command(id, DELIVER_INIT | ASSERT);
    }

    /// Lets the protocol's time after INIT pass.
    pub fn wait_after_stop(self, clock: &Clock) {
        wait(clock, AFTER_INIT_MICROS);
    }

    /// Starts the stopped processor `id` in real mode at the 4 KB page `page`: CS = page · 100h, IP = 0.
    pub fn start(self, id: u8, page: u8, clock: &Clock) {
        for _ in 0..2 {
            self.command(id, DELIVER_START_UP | ASSERT | u32::from(page));
            wait(clock, AFTER_START_UP_MICROS);
        }
    }

    fn command(self, id: u8, low: u32) {
        self.write(COMMAND_HIGH, u32::from(id) << ID_SHIFT);
        self.write(COMMAND_LOW, low);
        let mut patience = PATIENCE;
        while self.read(COMMAND_LOW) & PENDING != 0 && patience > 0 {
            patience -= 1;
        }
    }

    fn read(self, register: u32) -> u32 {
        // SAFETY: `new`'s caller promised that the registers are there; reading them changes nothing.
        unsafe { linear::pointer::<u32>(self.base + register).read_volatile() }
    }

    fn write(self, register: u32, value: u32) {
        // SAFETY: as above; what the few registers used here do is what their callers want.
        unsafe { linear::pointer::<u32>(self.base + register).write_volatile(value) }
    }
}

fn wait(clock: &Clock, micros: u64) {
    let start = clock.now();
    while clock.micros_since(start) < micros {
        core::hint::spin_loop();
    }
}
