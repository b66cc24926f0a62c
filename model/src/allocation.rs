//! Vectors of zeros, with one check for all of them.
use alloc::vec::Vec;
use bytemuck::Zeroable;

/// There is not enough memory.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("there is not enough memory to run the model, give the machine more")]
pub struct OutOfMemory;

/// A vector of zeros, or the error that there is no memory for it.
pub(crate) fn zeroed<T: Zeroable>(length: usize) -> Result<Vec<T>, OutOfMemory> {
    bytemuck::allocation::try_zeroed_vec(length).map_err(|()| OutOfMemory)
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
        zeroed(length).unwrap_or_else(|_| {
            self.failed = true;
            Vec::new()
        })
    }

    /// Was there memory for all of it?
    pub(crate) fn check(self) -> Result<(), OutOfMemory> {
        if self.failed { Err(OutOfMemory) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_failure_is_remembered() {
        let mut allocator = Allocator::default();
        assert!(allocator.zeroed::<u32>(usize::MAX / 2).is_empty());
        assert_eq!(allocator.zeroed::<u32>(5), [0; 5]);
        assert_eq!(allocator.check(), Err(OutOfMemory));
        assert!(zeroed::<u64>(usize::MAX).is_err());
    }
}
