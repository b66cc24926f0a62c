//! Vectors of zeros, with one check for all of them.
use alloc::collections::TryReserveError;
use alloc::vec::Vec;

/// A vector of zeros, or the error that there is no memory for it.
pub(crate) fn zeroed<T: bytemuck::Zeroable + Clone>(length: usize) -> Result<Vec<T>, TryReserveError> {
    let mut vector = Vec::new();
    vector.try_reserve_exact(length)?;
    vector.resize(length, T::zeroed());
    Ok(vector)
}

/// Allocates the vectors of a structure, and remembers if one of them found no memory. An error at
/// each vector would bring along the code that frees those before it, again and again.
#[derive(Default)]
pub(crate) struct Allocator {
    failure: Option<TryReserveError>,
}

impl Allocator {
    /// A vector of zeros, or an empty one.
    pub(crate) fn zeroed<T: bytemuck::Zeroable + Clone>(&mut self, length: usize) -> Vec<T> {
        zeroed(length).unwrap_or_else(|failure| {
            self.failure = Some(failure);
            Vec::new()
        })
    }

    /// An empty vector with room for so many, or without.
    pub(crate) fn room<T>(&mut self, length: usize) -> Vec<T> {
        let mut vector = Vec::new();
        if let Err(failure) = vector.try_reserve_exact(length) {
            self.failure = Some(failure);
        }
        vector
    }

    /// `structure`, if there was memory for all of it.
    pub(crate) fn finish<T>(self, structure: T) -> Result<T, TryReserveError> {
        self.failure.map_or(Ok(structure), Err)
    }
}
