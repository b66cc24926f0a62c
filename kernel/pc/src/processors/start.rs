//! Where an application processor comes in. It starts in real mode with 64 KB limits, at the
//! kernel's own first instruction, and follows the same road: unreal mode, caches on, SSE on.
use super::workers::{self, Worker};
use super::{sleep, stacks};
use crate::cpu::{self, Cpu};
use core::sync::atomic::{AtomicU32, Ordering};
use map::low_memory::PROGRAM_CODE;
use spinning_top::Spinlock;

/// The page of the kernel's first instruction, for the start-up IPI.
pub const PAGE: u8 = (PROGRAM_CODE.start >> 12) as u8;
const _: () = assert!(PROGRAM_CODE.start.is_multiple_of(1 << 12) && PROGRAM_CODE.start >> 12 < 0x100);

/// The stack of the processor that is being started, and [`MARK`] in the upper half; 0 while the first
/// processor boots. The entry code tells the two apart by it. The loader's is read before the loader
/// has checked itself, so one flipped bit must not look like a stack.
pub static STACK: AtomicU32 = AtomicU32::new(0);
/// What stands above a stack's 16 bits.
pub const MARK: u16 = 0x5041;

/// What that processor must know.
#[derive(Clone, Copy)]
struct Newcomer {
    /// The worker that it becomes.
    worker: Worker,
    /// Whether the first processor has SSE2. All are of one kind.
    has_sse2: bool,
}

static NEWCOMER: Spinlock<Option<Newcomer>> = Spinlock::new(None);

/// Says who comes next. One processor is started at a time.
pub(super) fn expect(worker: Worker, cpu: &Cpu) {
    workers::expect_report();
    *NEWCOMER.lock() = Some(Newcomer { worker, has_sse2: cpu.has_sse2() });
    STACK.store(u32::from(MARK) << 16 | stacks::top(worker.number), Ordering::SeqCst);
}

/// In from the entry code: unreal mode, a stack of its own, interrupts off.
pub extern "C" fn application_processor() -> ! {
    let newcomer = *NEWCOMER.lock();
    let Newcomer { worker, has_sse2 } = newcomer.expect("it is expected before it is started");
    cpu::set_up(has_sse2);
    sleep::can_be_woken(worker.apic);
    worker.work()
}

/// The worker whose stack `sp` is in, of those that were started; 0 for the first processor, whose stack is
/// above all of them. Below the lowest one worker 1 has overflowed.
pub fn worker_at(sp: u32) -> u32 {
    let newest_top = STACK.load(Ordering::SeqCst) & 0xFFFF;
    if sp > newest_top {
        return 0;
    }
    // The workers' stacks lie one above the other, worker 1's lowest.
    sp.saturating_sub(stacks::top(1)).div_ceil(stacks::BYTES as u32) + 1
}
