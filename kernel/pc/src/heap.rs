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

/// Where the next vector of so many items will be; 0 where there is no room for it.
pub fn next_place<T>(length: usize) -> u32 {
    let mut probe: Vec<T> = Vec::new();
    match probe.try_reserve_exact(length) {
        Ok(()) => probe.as_ptr().addr() as u32,
        Err(_) => 0,
    }
}

/// Exchanges the heap, with all that is allocated on it: out of this program, or into it, to go on with what an
/// earlier one left.
pub fn exchange(other: &mut Heap) {
    core::mem::swap(other, &mut HEAP.lock());
}
