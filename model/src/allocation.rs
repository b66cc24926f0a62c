//! Vectors of zeros, with one check for all of them.
use alloc::alloc::{Layout, alloc_zeroed};
use alloc::collections::TryReserveError;
use alloc::vec::Vec;
use bytemuck::Zeroable;
use core::ptr::NonNull;

/// There was not enough memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NoMemory;

impl From<TryReserveError> for NoMemory {
    fn from(_: TryReserveError) -> Self {
        Self
    }
}

/// A vector of zeros, or the error that there is no memory for it.
pub(crate) fn zeroed<T: Zeroable>(length: usize) -> Result<Vec<T>, NoMemory> {
    let start = zeroed_items(length, Layout::new::<T>())?;
    // SAFETY: from the global allocator, for `length` items of `T`, all of which are zero and may be;
    // or dangling, as a vector of no bytes is.
    Ok(unsafe { Vec::from_raw_parts(start.cast().as_ptr(), length, length) })
}

/// Memory for `length` items, all zero. One function for all types, as an engine has dozens of vectors.
#[inline(never)]
fn zeroed_items(length: usize, item: Layout) -> Result<NonNull<u8>, NoMemory> {
    let size = length.checked_mul(item.size()).ok_or(NoMemory)?;
    let layout = Layout::from_size_align(size, item.align()).map_err(|_| NoMemory)?;
    if size == 0 {
        return Ok(layout.dangling_ptr());
    }
    // SAFETY: the size is not zero.
    NonNull::new(unsafe { alloc_zeroed(layout) }).ok_or(NoMemory)
}

/// Allocates the vectors of a structure, and remembers if one of them found no memory. An error at
/// each vector would bring along the code that frees those before it, again and again.
#[derive(Default)]
pub(crate) struct Allocator {
    failed: bool,
}

impl Allocator {
    /// A vector of zeros, or an empty one.
    pub(crate) fn zeroed<T: Zeroable>(&mut self, length: usize) -> Vec<T> {
        zeroed(length).unwrap_or_else(|NoMemory| {
            self.failed = true;
            Vec::new()
        })
    }

    /// An empty vector with room for so many, or without.
    pub(crate) fn room<T>(&mut self, length: usize) -> Vec<T> {
        let mut vector = Vec::new();
        self.failed |= vector.try_reserve_exact(length).is_err();
        vector
    }

    /// Was there memory for all of it?
    pub(crate) fn check(self) -> Result<(), NoMemory> {
        if self.failed { Err(NoMemory) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::matrix::Tile;

    #[test]
    fn vectors_are_zero_and_aligned() {
        let mut allocator = Allocator::default();
        let tiles: Vec<Tile> = allocator.zeroed(3);
        assert!(tiles.iter().all(|tile| tile.0 == [0; 64]) && tiles.as_ptr().is_aligned());
        assert!(allocator.zeroed::<u32>(0).is_empty());
        assert_eq!(allocator.check(), Ok(()));
    }

    #[test]
    fn one_failure_is_remembered() {
        let mut allocator = Allocator::default();
        assert!(allocator.zeroed::<u32>(usize::MAX / 2).is_empty());
        assert_eq!(allocator.zeroed::<u32>(5), [0; 5]);
        assert_eq!(allocator.check(), Err(NoMemory));
        assert!(zeroed::<u64>(usize::MAX).is_err());
    }
}
