//! `W (rows, cols) @ x (cols,) -> y (rows,)`, with one-byte weights and x of up to 12 bits.
//!
//! The result is defined by integers, so that every kernel gives the same: a row's total `Σ w · x` is
//! exact in i32. The total times row scale times input scale, rounded, is y.
//!
//! Tiles hold each weight as `w + 128`, a byte without a sign. So a kernel's total starts at
//! `-128 Σ x`, and what it does to the bytes never has to mind a sign.
use crate::allocation::Allocator;
use crate::fixed::{Factor, Requantizer, Scale, UpperShift, absmax};
use crate::matrix::{Matrix, TILE_COLS, TILE_ROWS, WEIGHT_ZERO};
use crate::team::Processors;
use alloc::vec::Vec;
pub use kernel::Kernel;
#[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
pub use kernel::{Sse2, Sse41};

mod kernel;
mod scalar;
#[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
mod sse2;
#[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
mod sse41;

/// The largest magnitude of x: 12 bits with the sign.
pub const MAX_ACTIVATION: i32 = 2047;
/// The largest magnitude of a weight: -128 cannot come from the packer, but from a damaged file.
const WEIGHT_LIMIT: i64 = 128;

/// The largest magnitude of x for a matrix of `cols` columns: 12 bits, less where the total of so
/// many columns would not fit i32.
pub const fn activation_limit(cols: usize) -> i32 {
    let limit = i32::MAX as i64 / (WEIGHT_LIMIT * cols.next_multiple_of(TILE_COLS) as i64);
    if limit < MAX_ACTIVATION as i64 { limit as i32 } else { MAX_ACTIVATION }
}

const _: () = {
    assert!(activation_limit(8192) == MAX_ACTIVATION);
    assert!(activation_limit(crate::shape::MAX_LENGTH) >= 63, "7 bits for the longest vector");
};

/// Four inputs, ready for a kernel that handles four rows at once.
#[derive(Clone, Copy)]
#[repr(C, align(16))]
pub(crate) struct Four([i32; 8]);

// SAFETY: all bytes zero are four zeros.
unsafe impl bytemuck::Zeroable for Four {}

impl Four {
    /// For 16-bit products: `[x0, x2]` as the halves of a number, four times, then `[x1, x3]`.
    #[inline(always)]
    fn pairs([x0, x1, x2, x3]: [i32; TILE_COLS]) -> Self {
        let (even, odd) = (x0 & 0xFFFF | x2 << 16, x1 & 0xFFFF | x3 << 16);
        Self([even, even, even, even, odd, odd, odd, odd])
    }

    /// For 32-bit products with what is left of a row's bytes above each: see `sse41`. Each twice.
    #[inline(always)]
    fn coefficients([x0, x1, x2, x3]: [i32; TILE_COLS]) -> Self {
        let [c1, c2, c3] = [x1 - (x0 << 8), x2 - (x1 << 8), x3 - (x2 << 8)];
        Self([x0, x0, c1, c1, c2, c2, c3, c3])
    }

    /// What [`Four::pairs`] was made of.
    #[inline(always)]
    fn inputs(&self) -> [i32; TILE_COLS] {
        let [even, odd] = [self.0[0], self.0[4]];
        [(even as i16).into(), (odd as i16).into(), even >> 16, odd >> 16]
    }
}

/// An input vector of few-bit integers with one scale.
pub struct Activations {
    fours: Vec<Four>,
    /// The kernel that `fours` is for.
    kernel: Kernel,
    /// What totals start at: `-128 Σ x`.
    start: i32,
    /// What 1 means.
    pub scale: Scale,
}

impl Activations {
    /// Room for vectors of up to `cols` values, for products by `kernel`.
    pub(crate) fn new(allocator: &mut Allocator, cols: usize, kernel: Kernel) -> Self {
        let fours = allocator.zeroed(cols.div_ceil(TILE_COLS));
        Self { fours, kernel, start: 0, scale: Scale::ZERO }
    }

    /// Takes over `values · unit`, rounded to at most 12 bits.
    #[optimize(speed)]
    #[inline(never)] // into a caller that is optimized for size
    pub fn quantize(&mut self, values: &[i32], unit: Scale) {
        let limit = activation_limit(values.len());
        let max = absmax(values);
        let mut rounding =
            Rounding { requantizer: Requantizer::new(max, limit), kernel: self.kernel, sum: 0 };
        let (fours, rest) = values.as_chunks::<TILE_COLS>();
        let mut last = [[0; TILE_COLS]];
        last[0][..rest.len()].copy_from_slice(rest);
        self.fours.clear();
        for part in [fours, &last[..rest.len().min(1)]] {
            self.fours.extend(part.iter().map(|&x| rounding.four(x)));
        }
        self.start = rounding.sum.wrapping_mul(-WEIGHT_ZERO);
        self.scale = Scale::new(max as u64, 0).div(Scale::new(limit as u64, 0)).mul(unit);
    }
}

/// Rounds inputs, and adds them up.
struct Rounding {
    requantizer: Requantizer,
    kernel: Kernel,
    sum: i32,
}

impl Rounding {
    #[inline(always)]
    fn four(&mut self, x: [i32; TILE_COLS]) -> Four {
        let [x0, x1, x2, x3] = x;
        let one = |x| self.requantizer.apply(x);
        let x = [one(x0), one(x1), one(x2), one(x3)];
        self.sum += x[0] + x[1] + x[2] + x[3];
        self.kernel.prepare(x)
    }
}

/// `y = W @ x` with `w.fraction_bits` fraction bits, limited to i32. x has `w.cols` values, y
/// `w.rows`.
pub fn matmul(processors: Processors, w: &Matrix, x: &Activations, y: &mut [i32]) {
    debug_assert_eq!(y.len(), w.rows);
    debug_assert_eq!(x.fours.len(), Matrix::tiles_per_block(w.cols));
    // total · row_scale · 2^exponent · x_scale · 2^fraction_bits, with the upper half of
    // row_scale · x mantissa, which is below 2^30.
    let shift = -(w.exponent + x.scale.exponent + w.fraction_bits + 32);
    processors.share_out(y, TILE_ROWS, |block, y| block_of_rows(w, block, x, shift, y));
}

/// The part of the product that one block of rows gives.
#[optimize(speed)]
#[inline(never)] // into a closure, which is optimized for size
#[cfg_attr(target_os = "none", unsafe(link_section = ".text.hot"))] // kernel/link.ld
fn block_of_rows(w: &Matrix, block: usize, x: &Activations, shift: i32, y: &mut [i32]) {
    let totals = x.kernel.block(w.block(block), &x.fours, x.start);
    let rows = y.iter_mut().zip(&w.scales[block * TILE_ROWS..]).zip(&totals);
    let mantissa = |scale: u32| ((u64::from(scale) * u64::from(x.scale.mantissa)) >> 32) as u32;
    // Totals have bits to spare, more the fewer columns there are; with them most shifts are usual ones.
    let largest = WEIGHT_LIMIT as u32 * activation_limit(w.cols) as u32 * w.cols as u32;
    let up = (33 - shift).clamp(0, largest.leading_zeros() as i32 - 1);
    match UpperShift::new(shift + up) {
        Some(shift) => {
            for ((y, &scale), &total) in rows {
                *y = shift.apply(total << up, mantissa(scale));
            }
        }
        None => {
            for ((y, &scale), &total) in rows {
                *y = Factor { mantissa: mantissa(scale), shift }.apply(total);
            }
        }
    }
}

#[cfg(test)]
mod tests;
