//! The processors at work: a job goes to all of them, and is done when all are.
use crate::faults;
use crate::local_apic::LocalApic;
use core::cell::UnsafeCell;
use core::hint::spin_loop;
use core::sync::atomic::{AtomicU32, Ordering};
use firmware::acpi::MAX_PROCESSORS;

/// What the workers are to do.
type Job = *const (dyn Fn(usize) + Sync);

/// The blackboard: the first processor writes, the others read when the number changes.
struct Board {
    /// The number of the job; each change is an order.
    order: AtomicU32,
    job: UnsafeCell<Option<Job>>,
    /// Workers that are done with it.
    done: AtomicU32,
    /// Workers that have reported for work.
    ready: AtomicU32,
}

// SAFETY: `job` is written by the first processor only while no worker reads it: before `order`
// changes (released) and after all are done (acquired).
unsafe impl Sync for Board {}

static BOARD: Board = Board {
    order: AtomicU32::new(0),
    job: UnsafeCell::new(None),
    done: AtomicU32::new(0),
    ready: AtomicU32::new(0),
};

/// The first processor and the application processors that answered. When it is dropped they are
/// stopped, so that a machine that waits for a key costs nothing.
pub struct Workers {
    apic: Option<LocalApic>,
    ids: [u8; MAX_PROCESSORS],
    size: usize,
}

impl Workers {
    /// The first processor alone.
    pub const fn alone() -> Self {
        Self { apic: None, ids: [0; MAX_PROCESSORS], size: 1 }
    }

    /// An empty workers of processors that are started through `apic`.
    pub(super) const fn of(apic: LocalApic) -> Self {
        Self { apic: Some(apic), ids: [0; MAX_PROCESSORS], size: 1 }
    }

    /// The number of the next worker.
    pub(super) fn next(&self) -> usize {
        self.size
    }

    /// Takes in the processor `id`, which has reported as [`Workers::next`].
    pub(super) fn add(&mut self, id: u8) {
        self.ids[self.size] = id;
        self.size += 1;
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        if let Some(apic) = self.apic {
            self.ids[1..self.size].iter().for_each(|&id| apic.stop(id));
        }
    }
}

impl Workers {
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
        BOARD.order.fetch_add(1, Ordering::Release);
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

/// A worker's life: reports, then does every job.
pub(super) fn work(worker: usize) -> ! {
    let mut seen = BOARD.order.load(Ordering::Acquire);
    BOARD.ready.store(worker as u32, Ordering::Release);
    loop {
        let order = BOARD.order.load(Ordering::Acquire);
        if order == seen {
            spin_loop();
            continue;
        }
        seen = order;
        // SAFETY: the order has changed (acquired), so the job is written and stays until this
        // worker is counted as done.
        if let Some(job) = unsafe { *BOARD.job.get() } {
            // SAFETY: `run` keeps the job alive until all workers are done.
            unsafe { (*job)(worker) };
        }
        BOARD.done.fetch_add(1, Ordering::Release);
    }
}
