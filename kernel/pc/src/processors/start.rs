//! Where an application processor comes in. It starts in real mode with 64 KB limits, at the
//! kernel's own first instruction, and follows the same road: unreal mode, caches on, SSE on.
use super::{stacks, workers};
use crate::cpu::{self, Cpu};
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use map::low_memory::PROGRAM_CODE;

/// The page of the kernel's first instruction, for the start-up IPI.
pub const PAGE: u8 = (PROGRAM_CODE.start >> 12) as u8;
const _: () = assert!(PROGRAM_CODE.start.is_multiple_of(1 << 12) && PROGRAM_CODE.start >> 12 < 0x100);

/// The stack of the processor that is being started, and [`MARK`] in the upper half; 0 while the first
/// processor boots. The entry code tells the two apart by it. The loader's is read before the loader
/// has checked itself, so one flipped bit must not look like a stack.
pub static STACK: AtomicU32 = AtomicU32::new(0);
/// What stands above a stack's 16 bits.
pub const MARK: u16 = 0x5041;
/// The worker that it becomes.
static WORKER: AtomicU32 = AtomicU32::new(0);

/// Whether the first processor has SSE2. All are of one kind.
static SSE2: AtomicBool = AtomicBool::new(false);

/// Says what the processors are like.
pub fn prepare(cpu: &Cpu) {
    SSE2.store(cpu.has_sse2(), Ordering::SeqCst);
}

/// Says who comes next. One processor is started at a time.
pub fn expect(worker: usize) {
    workers::expect_report();
    WORKER.store(worker as u32, Ordering::SeqCst);
    STACK.store(u32::from(MARK) << 16 | stacks::top(worker), Ordering::SeqCst);
}

/// In from the entry code: unreal mode, a stack of its own, interrupts off.
pub extern "C" fn application_processor() -> ! {
    let worker = WORKER.load(Ordering::SeqCst) as usize;
    cpu::set_up(SSE2.load(Ordering::SeqCst));
    workers::work(worker)
}

/// The worker whose stack `sp` is in, of those that were started; 0 for the first processor, whose stack is
/// above all of them. Below the lowest one worker 1 has overflowed.
pub fn worker_at(sp: u32) -> u32 {
    let top = STACK.load(Ordering::SeqCst) & 0xFFFF;
    match top.checked_sub(sp) {
        Some(below) => (WORKER.load(Ordering::SeqCst) - below / stacks::BYTES as u32).max(1),
        None => 0,
    }
}
