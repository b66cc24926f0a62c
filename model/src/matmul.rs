//! `W (rows, cols) @ x (cols,) -> y (rows,)`, with weights of 8 bits and x of at most 16.
//!
//! The result is defined by integers, so that all SIMD gives the same: a row's total `Σ w · x` is exact
//! in i32, and `y = ⌊total · row scale · 2^(w.exponent + x.exponent + fraction bits)⌋`.
use crate::allocation::Allocator;
use crate::fixed::{Scale, absmax};
use crate::matrix::{Matrix, SCALE_BITS, TILE_COLS, TILE_ROWS, WEIGHT_ZERO};
use crate::simd::{Operand, Simd};
use crate::workers::Processors;
use alloc::vec::Vec;

/// The largest magnitude of x: 16 bits with the sign.
const MAX_ACTIVATION: i32 = i16::MAX as i32;
/// The largest magnitude of a weight: -128 cannot come from the packer, but from a damaged file.
const WEIGHT_LIMIT: i64 = 128;

/// The largest magnitude of x for a matrix of `cols` columns: 16 bits, less where the total of so
/// many columns would not fit i32.
const fn activation_limit(cols: usize) -> i32 {
    let limit = i32::MAX as i64 / (WEIGHT_LIMIT * cols.next_multiple_of(TILE_COLS) as i64);
    if limit < MAX_ACTIVATION as i64 { limit as i32 } else { MAX_ACTIVATION }
}

const _: () = {
    assert!(activation_limit(8192) == 2047);
    assert!(activation_limit(crate::shape::MAX_LENGTH) >= 63, "7 bits for the longest vector");
};

/// Tiles that a processor takes at a time at least: 4 KB, some microseconds in an emulator. To share less would take
/// longer than to do it.
const PART_TILES: usize = 64;

/// The input x of a matrix: integers of at most 16 bits times a power of two.
pub struct Activations {
    /// The integers (cols / 4, rounded up; 4), as `simd` wants them.
    fours: Vec<[Operand; 2]>,
    simd: Simd,
    /// What a row's total starts at, as tiles hold weights 128 too large: `-128 Σ x`.
    start: i32,
    /// 1 means `2^exponent`.
    exponent: i32,
}

impl Activations {
    /// Bytes of room for vectors of up to `cols` values.
    pub(crate) fn bytes(cols: usize) -> u64 {
        (cols.div_ceil(TILE_COLS) * size_of::<[Operand; 2]>()) as u64
    }

    /// Room for vectors of up to `cols` values, for products by `simd`.
    pub(crate) fn new(allocator: &mut Allocator, cols: usize, simd: Simd) -> Self {
        Self { fours: allocator.zeroed(cols.div_ceil(TILE_COLS)), simd, start: 0, exponent: 0 }
    }

    /// Takes over `values · unit`, for a unit above 0: `x = values · unit / 2^exponent`, rounded to the
    /// nearest, with the smallest exponent that brings the largest to at most 16 bits.
    #[optimize(speed)]
    #[inline(never)] // into a caller that is optimized for size
    pub fn quantize(&mut self, values: &[i32], unit: Scale) {
        let max = absmax(values).max(1);
        let limit = Scale::new(activation_limit(values.len()) as u64, 0);
        let largest = Scale::new(max as u64, 0).mul(unit);
        self.exponent = largest.exponent - limit.exponent + i32::from(largest.mantissa > limit.mantissa);
        // With the largest moved up to 31 bits, 2^28 and more of it are in the product's upper half; there
        // are 2^5 to 2^16 left of that.
        let up = max.leading_zeros() - 1;
        let scale = Scale { exponent: unit.exponent - self.exponent - up as i32, ..unit };
        let nearest = |x: i32| scale.nearest_of_upper_half(x << up);
        let (simd, mut sum) = (self.simd, 0);
        let mut four = |&[x0, x1, x2, x3]: &[i32; TILE_COLS]| {
            let [x0, x1, x2, x3] = [nearest(x0), nearest(x1), nearest(x2), nearest(x3)];
            sum += x0 + x1 + x2 + x3;
            simd.four([x0, x1, x2, x3])
        };
        let (fours, rest) = values.as_chunks::<TILE_COLS>();
        let mut last = [0; TILE_COLS];
        last[..rest.len()].copy_from_slice(rest);
        let mut out = self.fours.iter_mut();
        for part in [fours, &[last]] {
            for (x, out) in part.iter().zip(&mut out) {
                *out = four(x);
            }
        }
        self.start = sum.wrapping_mul(-WEIGHT_ZERO);
    }
}

/// `y = W @ x` with `w.fraction_bits` fraction bits, rounded down and limited to i32. x has `w.cols`
/// values, y `w.rows`.
pub fn matmul(processors: Processors, w: &Matrix, x: &Activations, y: &mut [i32]) {
    debug_assert_eq!(y.len(), w.rows);
    let least_blocks = PART_TILES.div_ceil(Matrix::tiles_per_block(w.cols));
    processors.parallel_chunks(y, TILE_ROWS, least_blocks, |first, y| rows(w, first, x, y));
}

/// The rows of the blocks from `first` on.
fn rows(w: &Matrix, first: usize, x: &Activations, y: &mut [i32]) {
    let (blocks, last) = y.as_chunks_mut();
    for (block, y) in (first..).zip(&mut *blocks) {
        block_of_rows(w, block, x, y);
    }
    if !last.is_empty() {
        let mut y = [0; TILE_ROWS];
        block_of_rows(w, first + blocks.len(), x, &mut y);
        last.copy_from_slice(&y[..last.len()]);
    }
}

#[optimize(speed)]
#[inline(never)] // twice
#[cfg_attr(target_os = "none", unsafe(link_section = ".text.hot"))] // kernel/pc/program.ld
fn block_of_rows(w: &Matrix, block: usize, x: &Activations, y: &mut [i32; TILE_ROWS]) {
    y.fill(x.start);
    let tiles = w.block(block);
    x.simd.add_products(tiles, &x.fours[..tiles.len()], y);
    let scales = w.scales[block * TILE_ROWS..][..TILE_ROWS].as_chunks().0;
    // y = total · scale · 2^(w.exponent + x.exponent + fraction bits)
    let shift = -(SCALE_BITS as i32 + w.exponent + x.exponent + w.fraction_bits);
    x.simd.rescale(y.as_chunks_mut().0, scales, shift);
}

#[cfg(test)]
mod tests;
