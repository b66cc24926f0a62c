//! Numbers made to fit few bits by a shift: what the cache holds and what a query is multiplied as.
use crate::fixed::absmax;

/// Makes numbers fit a number of bits by a shift to the right, rounded to the nearest. At the largest
/// magnitude that may give the next power of two.
#[derive(Clone, Copy)]
pub struct Shrink {
    /// At least 1.
    pub shift: u32,
}

impl Shrink {
    /// For numbers like these.
    #[inline(never)] // called from three places
    pub fn new(values: &[i32], bits: u32) -> Self {
        let excess = u32::BITS - absmax(values).leading_zeros();
        Self { shift: excess.saturating_sub(bits).max(1) }
    }

    /// One of them.
    #[inline(always)]
    pub fn apply(self, x: i32) -> i32 {
        ((x >> (self.shift - 1)) + 1) >> 1
    }
}
