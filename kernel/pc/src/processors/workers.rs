//! The processors at work: a job is open to all of them, and is done when those that have come are.
//!
//! All is said by one number, the [`GATE`], so that everybody sees one order of things:
//!
//! ```text
//! first processor                            worker
//! 1  a new order, gate open                  a  open, and another order than my last: come in (inside += 1)
//! 2  did a worker sleep? interrupt them      b  do the job
//! 3  do the job                              c  inside -= 1
//! 4  gate closed                             d  the last one, and the first sleeps? interrupt it
//! 5  wait until nobody is inside
//! ```
//!
//! A job has nothing for a worker in particular. One that has not come when the gate is closed is not waited for: an
//! emulator on a busy host may not let it run for long.
//!
//! Who waits looks again and again for a while, as in a story it is soon over. Then it sleeps, as an emulator's
//! processor that looks on takes the host's from the one that it waits for. It says so at the gate with the same
//! instruction that looks a last time. So whoever changes what is waited for after that knows, and interrupts the
//! sleeper; [`sleep`] says why an interrupt before HLT ends it, too.
use super::sleep;
use crate::clock::{self, Clock};
use crate::faults;
use crate::local_apic::LocalApic;
use core::cell::UnsafeCell;
use core::hint::spin_loop;
use core::sync::atomic::{AtomicU32, Ordering};

/// How long somebody looks before he sleeps: this power of two of a second, 61 µs. Not so many times, as PAUSE takes
/// anything from ten cycles to a microsecond.
const AWAKE_SHIFT: u32 = 14;

/// What the workers are to do.
type Job = *const (dyn Fn() + Sync);

/// The gate to the job: how many workers are inside, the marks below, and the number of the order.
static GATE: AtomicU32 = AtomicU32::new(0);
/// Workers inside.
const INSIDE: u32 = 0xFF;
/// Workers may come in.
const OPEN: u32 = 1 << 8;
/// A worker sleeps until the gate is opened.
const WORKER_SLEEPS: u32 = 1 << 9;
/// The first processor sleeps until nobody is inside.
const FIRST_SLEEPS: u32 = 1 << 10;
/// One order.
const ORDER: u32 = 1 << 11;

/// The worker that reported for work last.
static READY: AtomicU32 = AtomicU32::new(0);

/// The job behind the gate.
struct Board(UnsafeCell<Option<Job>>);

// SAFETY: it is written by the first processor only while no worker reads it: before the gate is opened (released)
// and after it was closed and all have left (acquired).
unsafe impl Sync for Board {}

static BOARD: Board = Board(UnsafeCell::new(None));

/// The number of a gate's order.
fn order_of(gate: u32) -> u32 {
    gate / ORDER
}

/// Looks for something for as long as it is worth to stay awake: so many cycles of the time-stamp counter. 0 where there
/// is none.
fn watch<T>(awake_cycles: u32, mut look: impl FnMut() -> Option<T>) -> Option<T> {
    let now = || if awake_cycles > 0 { clock::tsc() as u32 } else { 0 };
    let start = now();
    loop {
        let seen = look();
        if seen.is_some() || now().wrapping_sub(start) >= awake_cycles {
            return seen;
        }
        spin_loop();
    }
}

/// The first processor and the application processors that answered.
pub struct Workers {
    /// The first processor's local APIC, where there are others.
    apic: Option<LocalApic>,
    /// How long the first processor waits awake, in cycles.
    awake_cycles: u32,
    size: usize,
}

impl Workers {
    /// The first processor alone.
    pub const fn alone() -> Self {
        Self { apic: None, awake_cycles: 0, size: 1 }
    }

    /// The same, before others are started through `apic`.
    pub(super) fn of(apic: LocalApic, clock: &Clock) -> Self {
        Self { apic: Some(apic), awake_cycles: awake_cycles(clock), size: 1 }
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

    /// Calls `job` here and on each worker that comes meanwhile, once, and returns when all calls have: a worker leaves
    /// the gate after its call (release), and all are waited for (acquire).
    pub fn run(&self, job: &(dyn Fn() + Sync)) {
        // SAFETY: nobody reads the board now (see `Board`). The job's lifetime is hidden, not
        // extended: all calls of it end before `run` does.
        unsafe { *BOARD.0.get() = Some(core::mem::transmute::<*const (dyn Fn() + Sync + '_), Job>(job)) };
        // Only the first processor counts orders; a worker may mark the gate meanwhile.
        let order = (order_of(GATE.load(Ordering::Relaxed)) + 1).wrapping_mul(ORDER);
        let before = GATE.swap(order | OPEN, Ordering::AcqRel);
        if let Some(apic) = self.apic
            && before & WORKER_SLEEPS != 0
        {
            sleep::wake_workers(apic);
        }
        job();
        GATE.fetch_and(!OPEN, Ordering::Relaxed);
        self.wait_for_workers();
    }

    /// Waits until nobody is inside the closed gate, at first awake. A worker that has faulted, in here or while it
    /// waited for a job, is told of: each job comes by here, and the BIOS's tick ends each sleep.
    fn wait_for_workers(&self) {
        let all_left = |gate: u32| (gate & INSIDE == 0).then_some(());
        loop {
            faults::check_others();
            if watch(self.awake_cycles, || all_left(GATE.load(Ordering::Acquire))).is_some() {
                return;
            }
            if let Some(apic) = self.apic {
                let must = || all_left(GATE.fetch_or(FIRST_SLEEPS, Ordering::Acquire)).is_none();
                sleep::first_until_woken(apic, must);
            }
        }
    }
}

/// Wipes out earlier reports.
pub(super) fn expect_report() {
    READY.store(0, Ordering::SeqCst);
}

/// Has worker `worker` reported?
pub(super) fn is_ready(worker: usize) -> bool {
    READY.load(Ordering::Acquire) as usize == worker
}

/// See [`watch`].
fn awake_cycles(clock: &Clock) -> u32 {
    (clock.tsc_hz() >> AWAKE_SHIFT) as u32
}

/// A processor that takes part in the jobs.
#[derive(Clone, Copy)]
pub(super) struct Worker {
    /// From 1 on: 0 is the first processor.
    pub number: usize,
    /// Its own local APIC, which each processor sees at the same address.
    pub apic: LocalApic,
    /// The first processor's, as its local APIC numbers it.
    first: u8,
    /// How long it waits awake, in cycles.
    awake_cycles: u32,
}

impl Worker {
    /// The worker `number`, by the first processor and its local APIC.
    pub fn new(number: usize, apic: LocalApic, clock: &Clock) -> Self {
        Self { number, apic, first: apic.id(), awake_cycles: awake_cycles(clock) }
    }

    /// Reports for work, then takes part in every job that it comes to in time.
    pub fn work(self) -> ! {
        let mut last = order_of(GATE.load(Ordering::Acquire));
        READY.store(self.number as u32, Ordering::Release);
        loop {
            last = self.come_in(last);
            // SAFETY: this worker is inside (acquired), so the job is written; `run` leaves it there, and keeps
            // it alive, until this worker has left.
            unsafe {
                if let Some(job) = *BOARD.0.get() {
                    (*job)();
                }
            }
            let before = GATE.fetch_sub(1, Ordering::AcqRel);
            if before & (FIRST_SLEEPS | INSIDE) == FIRST_SLEEPS | 1 {
                sleep::wake_first(self.apic, self.first);
            }
        }
    }

    /// Waits for an open gate with another order than the `last`, at first awake, and comes in. Gives its number.
    fn come_in(self, last: u32) -> u32 {
        let is_new = |gate: u32| gate & OPEN != 0 && order_of(gate) != last;
        loop {
            let entered = watch(self.awake_cycles, || {
                let gate = GATE.load(Ordering::Relaxed);
                let enter = || GATE.compare_exchange(gate, gate + 1, Ordering::Acquire, Ordering::Relaxed);
                (is_new(gate) && enter().is_ok()).then(|| order_of(gate))
            });
            if let Some(order) = entered {
                return order;
            }
            if !is_new(GATE.fetch_or(WORKER_SLEEPS, Ordering::Relaxed)) {
                sleep::until_woken(self.apic);
            }
        }
    }
}
