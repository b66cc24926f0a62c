//! The stacks of the application processors. The CPU pushes through SP, so they lie in the first
//! 64 KB with everything else, and are small: a worker multiplies rows and calls little.
use core::cell::UnsafeCell;
use firmware::acpi::MAX_PROCESSORS;

/// Bytes of a stack.
pub const BYTES: usize = 1536;

/// A stack, on lines of its own in the cache.
#[repr(C, align(64))]
struct Stack(UnsafeCell<[u8; BYTES]>);

// SAFETY: a stack is used by the one processor that it is given to, and by nobody through this type.
unsafe impl Sync for Stack {}

static STACKS: [Stack; MAX_PROCESSORS - 1] =
    [const { Stack(UnsafeCell::new([0; BYTES])) }; MAX_PROCESSORS - 1];

/// The upper end of the stack of worker 1 or higher.
pub fn top(worker: usize) -> u32 {
    STACKS[worker - 1].0.get().expose_provenance() as u32 + BYTES as u32
}
