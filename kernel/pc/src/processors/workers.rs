//! The processors at work: a job goes to all of them, and is done when all are.
//!
//! A worker that waits for a job looks for it again and again for a while, as in a story the next one comes soon.
//! Then it sleeps, and is woken. No order passes it by:
//!
//! ```text
//! worker                       first processor
//! 1  asleep += 1               3  order += 1
//! 2  has order changed?        4  is asleep above 0?
//!    if not: STI, HLT             if so: interrupt the workers
//!    asleep -= 1
//! ```
//!
//! On either side the first is a locked instruction, which no later load overtakes. So if 2 came before 3, 4 comes
//! after 1: the worker is interrupted, and [`sleep`] says why an interrupt before HLT ends it, too.
use super::sleep;
use crate::clock::{self, Clock};
use crate::faults;
use crate::local_apic::LocalApic;
use core::cell::UnsafeCell;
use core::hint::spin_loop;
use core::sync::atomic::{AtomicU32, Ordering};

/// How long a worker looks for an order before it sleeps: this power of two of a second, 61 µs. Not so many
/// times, as PAUSE takes anything from ten cycles to a microsecond.
const AWAKE_SHIFT: u32 = 14;

/// What the workers are to do.
type Job = *const (dyn Fn(usize) + Sync);

/// The blackboard: the first processor writes, the others read when the number changes.
struct Board {
    /// The number of the job; each change is an order.
    order: AtomicU32,
    job: UnsafeCell<Option<Job>>,
    /// Workers that are done with it.
    done: AtomicU32,
    /// The worker that reported for work last.
    ready: AtomicU32,
    /// How many workers sleep, or are about to.
    asleep: AtomicU32,
}

// SAFETY: `job` is written by the first processor only while no worker reads it: before `order`
// changes (released) and after all are done (acquired).
unsafe impl Sync for Board {}

static BOARD: Board = Board {
    order: AtomicU32::new(0),
    job: UnsafeCell::new(None),
    done: AtomicU32::new(0),
    ready: AtomicU32::new(0),
    asleep: AtomicU32::new(0),
};

/// The first processor and the application processors that answered.
pub struct Workers {
    /// The first processor's local APIC, where there are others.
    apic: Option<LocalApic>,
    size: usize,
}

impl Workers {
    /// The first processor alone.
    pub const fn alone() -> Self {
        Self { apic: None, size: 1 }
    }

    /// The same, before others are started through `apic`.
    pub(super) const fn of(apic: LocalApic) -> Self {
        Self { apic: Some(apic), size: 1 }
    }

    /// The number of the next worker.
    pub(super) fn next(&self) -> usize {
        self.size
    }

    /// Takes in the processor that has reported as [`Workers::next`].
    pub(super) fn add(&mut self) {
        self.size += 1;
    }

    /// How many there are, the first processor included.
    pub fn size(&self) -> usize {
        self.size
    }

    /// Calls `job(0)` here and `job(1)` to `job(size - 1)` on the others, once each, and returns when all
    /// calls have: a worker adds itself to `done` after its call (release), and all are waited for (acquire).
    pub fn run(&self, job: &(dyn Fn(usize) + Sync)) {
        // SAFETY: nobody reads the board now (see `Board`). The job's lifetime is hidden, not
        // extended: all calls of it end before `run` does.
        unsafe {
            *BOARD.job.get() = Some(core::mem::transmute::<*const (dyn Fn(usize) + Sync + '_), Job>(job))
        };
        BOARD.done.store(0, Ordering::Relaxed);
        BOARD.order.fetch_add(1, Ordering::SeqCst);
        if let Some(apic) = self.apic
            && BOARD.asleep.load(Ordering::SeqCst) > 0
        {
            sleep::wake(apic);
        }
        job(0);
        while BOARD.done.load(Ordering::Acquire) as usize != self.size - 1 {
            faults::check_others();
            spin_loop();
        }
    }
}

/// Wipes out earlier reports.
pub(super) fn expect_report() {
    BOARD.ready.store(0, Ordering::SeqCst);
}

/// Has worker `worker` reported?
pub(super) fn is_ready(worker: usize) -> bool {
    BOARD.ready.load(Ordering::Acquire) as usize == worker
}

/// A processor that does its part of every job.
#[derive(Clone, Copy)]
pub(super) struct Worker {
    /// From 1 on: 0 is the first processor.
    pub number: usize,
    /// Its own local APIC, which each processor sees at the same address.
    pub apic: LocalApic,
    /// How long it stays awake, in cycles of the time-stamp counter. 0 where there is none.
    awake_cycles: u32,
}

impl Worker {
    /// The worker `number`.
    pub fn new(number: usize, apic: LocalApic, clock: &Clock) -> Self {
        Self { number, apic, awake_cycles: (clock.tsc_hz() >> AWAKE_SHIFT) as u32 }
    }

    /// Reports for work, then does every job.
    pub fn work(self) -> ! {
        let mut seen = BOARD.order.load(Ordering::Acquire);
        BOARD.ready.store(self.number as u32, Ordering::Release);
        loop {
            seen = self.wait_for_order(seen);
            // SAFETY: the order has changed (acquired), so the job is written; `run` leaves it there, and keeps
            // it alive, until this worker is counted as done.
            unsafe {
                if let Some(job) = *BOARD.job.get() {
                    (*job)(self.number);
                }
            }
            BOARD.done.fetch_add(1, Ordering::Release);
        }
    }

    /// Waits for an order after the one that was `seen`, at first awake. Gives its number.
    fn wait_for_order(self, seen: u32) -> u32 {
        loop {
            if let Some(order) = self.watch(seen) {
                return order;
            }
            BOARD.asleep.fetch_add(1, Ordering::SeqCst);
            if BOARD.order.load(Ordering::SeqCst) == seen {
                sleep::until_woken(self.apic);
            }
            BOARD.asleep.fetch_sub(1, Ordering::SeqCst);
        }
    }

    /// Looks for another order than `seen` for as long as it is worth to stay awake.
    fn watch(self, seen: u32) -> Option<u32> {
        let now = || if self.awake_cycles > 0 { clock::tsc() as u32 } else { 0 };
        let start = now();
        loop {
            let order = BOARD.order.load(Ordering::Acquire);
            if order != seen {
                return Some(order);
            }
            if now().wrapping_sub(start) >= self.awake_cycles {
                return None;
            }
            spin_loop();
        }
    }
}
