//! Time: the CPU's time-stamp counter, calibrated against the timer until it is known within 1%; without one, the
//! timer itself and the BIOS's ticks.
use crate::bios_data::{self, TICKS};
use crate::cpu::{Cpu, Features};
use crate::pit::{self, COUNTS_PER_TICK};
use core::arch::x86::_rdtsc;
use core::fmt;
use firmware::tick;
use spinning_top::Spinlock;

/// How long a calibration takes, in counts of the timer: 2 ms, so that one that begins when a busy host lets an emulator
/// run again ends before it has to wait again.
const CALIBRATION_COUNTS: u16 = (pit::HZ / 500) as u16;

/// A source of time.
#[derive(Clone, Copy, Debug)]
pub enum Clock {
    /// The time-stamp counter.
    Tsc {
        /// How fast it counts.
        hz: u64,
        /// Whether that is known within 1%.
        is_sure: bool,
    },
    /// The BIOS's ticks, and between two of them the timer's count.
    Pit,
}

/// A moment, in a clock's own units.
#[derive(Clone, Copy, Debug)]
pub struct Moment(u64);

impl fmt::Display for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Tsc { hz, is_sure } => {
                write!(f, "TSC at {}{} MHz", if is_sure { "" } else { "about " }, hz / 1_000_000)
            }
            Self::Pit => f.write_str("no TSC"),
        }
    }
}

impl Clock {
    /// The best clock of this machine.
    pub fn calibrate(cpu: &Cpu) -> Self {
        if cpu.features.contains(Features::TSC)
            && let Some((hz @ 1.., is_sure)) = tick::settle(|| {
                let (least, most) = pit::count_down(CALIBRATION_COUNTS, tsc)?;
                let hz = |cycles: u64| cycles * pit::HZ / u64::from(CALIBRATION_COUNTS);
                Some((hz(least), hz(most)))
            })
        {
            return Self::Tsc { hz, is_sure };
        }
        pit::set_rate_generator();
        Self::Pit
    }

    /// Now.
    pub fn now(&self) -> Moment {
        match self {
            Self::Tsc { .. } => Moment(tsc()),
            Self::Pit => Moment(monotonic(pit_counts())),
        }
    }

    /// How fast the time-stamp counter counts, in Hz; 0 where it is not the clock.
    pub fn tsc_hz(&self) -> u64 {
        match self {
            Self::Tsc { hz, .. } => *hz,
            Self::Pit => 0,
        }
    }

    /// Whether times by it are right but for their last digits.
    pub fn is_sure(&self) -> bool {
        matches!(self, Self::Pit | Self::Tsc { is_sure: true, .. })
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
            Self::Tsc { hz, .. } => (later.0.wrapping_sub(earlier.0), *hz),
            Self::Pit => {
                let day = u64::from(tick::PER_DAY) * COUNTS_PER_TICK;
                ((later.0 + day - earlier.0) % day, pit::HZ)
            }
        };
        units / hz * parts + units % hz * parts / hz
    }
}

/// The BIOS's ticks since midnight.
pub fn ticks() -> u32 {
    u32::from_le_bytes(bios_data::read(TICKS))
}

/// The time-stamp counter. There must be one.
pub fn tsc() -> u64 {
    // SAFETY: reading it changes nothing; without one this is an invalid opcode, which is reported.
    unsafe { _rdtsc() }
}

/// `counts`, with the tick that the BIOS has not counted yet: its interrupt may come a while after the
/// counter began anew, and until then time would have gone back.
fn monotonic(counts: u64) -> u64 {
    static LATEST: Spinlock<u64> = Spinlock::new(0);
    let mut latest = LATEST.lock();
    // Further back it is past midnight.
    let is_late = counts < *latest && *latest - counts < COUNTS_PER_TICK;
    *latest = if is_late { counts + COUNTS_PER_TICK } else { counts };
    *latest
}

/// The timer's counts since midnight. The BIOS's ticks are read before and after, as one may come
/// while they or the timer are read.
fn pit_counts() -> u64 {
    loop {
        let before = ticks();
        let counts = pit::counts_in_tick();
        if before == ticks() {
            return u64::from(before) * COUNTS_PER_TICK + u64::from(counts);
        }
    }
}
