//! The heap above 1 MiB.
use crate::linear;
use alloc::vec::Vec;
use firmware::e820::UsableRegion;
use linked_list_allocator::{Heap, LockedHeap};

#[global_allocator]
static HEAP: LockedHeap = LockedHeap::empty();

/// Gives `region` to the allocator.
///
/// # Safety
/// The region must be memory that nothing else uses, and the first that it is given.
pub unsafe fn init(region: UsableRegion) {
    // SAFETY: the caller's promise.
    unsafe { HEAP.lock().init(linear::pointer(region.start), region.size() as usize) };
}

/// Bytes that are not in use.
pub fn free() -> usize {
    HEAP.lock().free()
}

/// Where the next allocation of so many bytes will be; 0 where there is no room for it.
pub fn next_place(bytes: usize) -> u32 {
    let mut probe: Vec<u8> = Vec::new();
    match probe.try_reserve_exact(bytes) {
        Ok(()) => probe.as_ptr().addr() as u32,
        Err(_) => 0,
    }
}

/// Takes the heap out, with all that is allocated on it, for the next program to go on with.
pub fn take() -> Heap {
    core::mem::replace(&mut HEAP.lock(), Heap::empty())
}

/// Goes on with what an earlier program took out.
pub fn put(heap: Heap) {
    *HEAP.lock() = heap;
}
