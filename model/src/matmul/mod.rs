//! `W (rows, cols) @ x (cols,) -> y (rows,)`, with one-byte weights and x of up to 16 bits.
//!
//! The result is defined by integers, so that every kernel gives the same: a row's total `Σ w · x` is
//! exact in i32, and y is `((total · row scale) >> 16) >> shift` ([`crate::requantize`]).
//!
//! Tiles hold each weight as `w + 128`, a byte without a sign. So a kernel's total starts at
//! `-128 Σ x`, and what it does to the bytes never has to mind a sign.
use crate::matrix::{Matrix, TILE_ROWS, Tile};
use crate::requantize::{SCALE_BITS, Scales, scale};
use crate::simd::Simd;
use crate::workers::Processors;
pub use activations::Activations;
use activations::Four;
#[cfg(test)]
use activations::activation_limit;

mod activations;
mod scalar;
#[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
mod sse2;
#[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
mod sse41;

/// `y = W @ x` with `w.fraction_bits` fraction bits, limited to i32. x has `w.cols` values, y
/// `w.rows`.
pub fn matmul(processors: Processors, w: &Matrix, x: &Activations, y: &mut [i32]) {
    debug_assert_eq!(y.len(), w.rows);
    debug_assert_eq!(x.fours.len(), Matrix::tiles_per_block(w.cols));
    // total · row scale · 2^(w.exponent + x.exponent + fraction bits)
    let shift = -(SCALE_BITS as i32 + w.exponent + x.exponent + w.fraction_bits);
    processors.parallel_chunks(y, TILE_ROWS, |first, y| rows(w, first, x, shift, y));
}

/// The numbers of a block's rows.
type Rows = [i32; TILE_ROWS];

/// The part of the product that the blocks from `first` on give.
#[optimize(speed)]
#[inline(never)] // into a closure, which is optimized for size
fn rows(w: &Matrix, first: usize, x: &Activations, shift: i32, y: &mut [i32]) {
    let (blocks, last) = y.as_chunks_mut();
    for (block, y) in (first..).zip(&mut *blocks) {
        block_of_rows(w, block, x, shift, y);
    }
    if !last.is_empty() {
        let mut y = [0; TILE_ROWS];
        block_of_rows(w, first + blocks.len(), x, shift, &mut y);
        last.copy_from_slice(&y[..last.len()]);
    }
}

#[optimize(speed)]
#[inline(never)] // twice
#[cfg_attr(target_os = "none", unsafe(link_section = ".text.hot"))] // kernel/pc/program.ld
fn block_of_rows(w: &Matrix, block: usize, x: &Activations, shift: i32, y: &mut Rows) {
    y.fill(x.start);
    add_block(x.simd, w.block(block), &x.fours, y);
    let scales = w.scales[block * TILE_ROWS..][..TILE_ROWS].as_chunks().0;
    scale(x.simd, y.as_chunks_mut().0, Scales::Each(scales), shift);
}

/// Adds the products of a block of 16 rows with inputs as `simd` wants them. Weights are as the tiles
/// hold them, 128 too large.
#[inline(always)]
fn add_block(simd: Simd, tiles: &[Tile], x: &[Four], totals: &mut Rows) {
    match simd {
        Simd::Scalar => scalar::add_block(tiles, x, totals),
        #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
        // SAFETY: an `Sse2` exists only where its creator promised that SSE2 works.
        Simd::Sse2(_) => unsafe { sse2::add_block(tiles, x, totals) },
        #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
        // SAFETY: an `Sse41` exists only where its creator promised that SSE4.1 works.
        Simd::Sse41(_) => unsafe { sse41::add_block(tiles, x, totals) },
    }
}

#[cfg(test)]
mod tests;
