//! The heap above 1 MB.
use crate::e820::UsableRegion;
use crate::far;
use linked_list_allocator::LockedHeap;

#[global_allocator]
static HEAP: LockedHeap = LockedHeap::empty();

/// Gives `region` to the allocator. Called once.
///
/// # Safety
/// The region must be memory that nothing else uses.
pub unsafe fn init(region: UsableRegion) {
    // SAFETY: the caller's promise; `main` calls this once.
    unsafe { HEAP.lock().init(far::pointer(region.start), region.size() as usize) };
}

/// Bytes that are not in use.
pub fn free() -> usize {
    HEAP.lock().free()
}
