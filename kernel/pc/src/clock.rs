//! Time: the CPU's time-stamp counter, calibrated against the PIT; without one, the PIT itself.
//!
//! Sources: Intel 8254 data sheet; OSDev wiki, "Programmable Interval Timer".
use crate::cpu::{Cpu, Features};
use crate::{linear, port};
use core::arch::x86::_rdtsc;
use core::fmt;

/// The PIT's input, in Hz.
const PIT_HZ: u64 = 1_193_182;
/// Its ports: counters 0 and 2, command.
const COUNTER_0: u16 = 0x40;
const COUNTER_2: u16 = 0x42;
const COMMAND: u16 = 0x43;
/// Command: counter 2 (10), both bytes (11), mode 0: output goes high at zero (000), binary (0).
const COUNTER_2_ONCE: u8 = 0b1011_0000;
/// Command: latch counter 0.
const LATCH_COUNTER_0: u8 = 0;
/// The port that gates counter 2 (bit 0), feeds the speaker (bit 1) and shows its output (bit 5).
const PORT_61: u16 = 0x61;
const GATE_2: u8 = 1 << 0;
const SPEAKER: u8 = 1 << 1;
const OUTPUT_2: u8 = 1 << 5;
/// How long calibration takes: 10 ms, in PIT ticks.
const CALIBRATION_TICKS: u16 = (PIT_HZ / 100) as u16;
/// How often the output is read before the PIT is given up: reads take about a microsecond, or far
/// less in an emulator.
const PATIENCE: u32 = 5_000_000;
/// The BIOS's count of wraps of counter 0 (18.2 Hz), reset at midnight.
const BIOS_TICKS: u32 = 0x46C;
/// Wraps in a day.
const TICKS_PER_DAY: u64 = 0x18_00B0;

/// A source of time.
#[derive(Clone, Copy, Debug)]
pub enum Clock {
    /// The time-stamp counter, at this many Hz.
    Tsc(u64),
    /// Counter 0 and the BIOS's ticks.
    Pit,
}

/// A moment, in a clock's own units.
#[derive(Clone, Copy, Debug)]
pub struct Moment(u64);

impl fmt::Display for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tsc(hz) => write!(f, "TSC at {} MHz", hz / 1_000_000),
            Self::Pit => f.write_str("no TSC"),
        }
    }
}

impl Clock {
    /// The best clock of this machine.
    pub fn calibrate(cpu: &Cpu) -> Self {
        if !cpu.features.contains(Features::TSC) {
            return Self::Pit;
        }
        match tsc_cycles_in_calibration() {
            Some(cycles) if cycles > 0 => Self::Tsc(cycles * PIT_HZ / u64::from(CALIBRATION_TICKS)),
            _ => Self::Pit,
        }
    }

    /// Now.
    pub fn now(&self) -> Moment {
        match self {
            Self::Tsc(_) => Moment(tsc()),
            Self::Pit => Moment(monotonic(pit_ticks())),
        }
    }

    /// Microseconds since `earlier`.
    pub fn micros_since(&self, earlier: Moment) -> u64 {
        self.between(earlier, self.now(), 1_000_000)
    }

    /// Nanoseconds from one moment to another.
    pub fn nanos_between(&self, earlier: Moment, later: Moment) -> u64 {
        self.between(earlier, later, 1_000_000_000)
    }

    /// The time between two moments in parts of a second, without overflow for centuries.
    fn between(&self, earlier: Moment, later: Moment, parts: u64) -> u64 {
        let (units, hz) = match self {
            Self::Tsc(hz) => (later.0.wrapping_sub(earlier.0), *hz),
            Self::Pit => {
                let day = TICKS_PER_DAY << 16;
                ((later.0 + day - earlier.0) % day, PIT_HZ)
            }
        };
        units / hz * parts + units % hz * parts / hz
    }
}

fn tsc() -> u64 {
    // SAFETY: only called where CPUID reports a TSC; real mode may always read it.
    unsafe { _rdtsc() }
}

/// Cycles that pass while counter 2 runs down. `None` if it never does.
fn tsc_cycles_in_calibration() -> Option<u64> {
    // SAFETY: counter 2 serves the speaker, which is switched off meanwhile.
    unsafe {
        let before = port::read_u8(PORT_61);
        port::write_u8(PORT_61, before & !SPEAKER | GATE_2);
        port::write_u8(COMMAND, COUNTER_2_ONCE);
        port::write_u8(COUNTER_2, CALIBRATION_TICKS as u8);
        port::write_u8(COUNTER_2, (CALIBRATION_TICKS >> 8) as u8);
        let start = tsc();
        let mut patience = PATIENCE;
        while port::read_u8(PORT_61) & OUTPUT_2 == 0 && patience > 0 {
            patience -= 1;
        }
        let cycles = tsc() - start;
        port::write_u8(PORT_61, before);
        (patience > 0).then_some(cycles)
    }
}

/// `ticks`, with the wrap that the BIOS has not counted yet: its interrupt may come a while after the
/// counter has wrapped, and until then time would have gone back.
fn monotonic(ticks: u64) -> u64 {
    static mut LATEST: u64 = 0;
    const WRAP: u64 = 1 << 16;
    // SAFETY: only the first processor asks for the time, and no interrupt does.
    let latest = unsafe { LATEST };
    // Further back it is past midnight.
    let ticks = if ticks < latest && latest - ticks < WRAP { ticks + WRAP } else { ticks };
    // SAFETY: as above.
    unsafe { LATEST = ticks };
    ticks
}

/// Ticks of the PIT since midnight. The BIOS's counter is read before and after, as it may move
/// while the PIT is read.
fn pit_ticks() -> u64 {
    let wraps: *const u32 = linear::pointer(BIOS_TICKS);
    loop {
        // SAFETY: the BIOS's data area holds the counter; latching changes nothing that anyone
        // else reads.
        unsafe {
            let before = wraps.read_volatile();
            port::write_u8(COMMAND, LATCH_COUNTER_0);
            let low = port::read_u8(COUNTER_0);
            let high = port::read_u8(COUNTER_0);
            if before == wraps.read_volatile() {
                let down = u16::from_le_bytes([low, high]);
                return u64::from(before) << 16 | u64::from(down.wrapping_neg());
            }
        }
    }
}
