//! What each operation gives, in plain integer instructions, which run everywhere.
use super::{COLUMNS, Operand, Pair};
use crate::matrix::{SCALE_BITS, TILE_COLS, TILE_ROWS, Tile};

/// `x0` and `x1` as the halves of a number, four times: what `pmaddwd` wants.
#[inline(always)]
pub fn two(x0: i32, x1: i32) -> Operand {
    let both = x0 & 0xFFFF | x1 << 16;
    Operand([both, both, both, both])
}

/// Even columns, then odd ones.
#[inline(always)]
pub fn four([x0, x1, x2, x3]: [i32; TILE_COLS]) -> [Operand; 2] {
    [two(x0, x2), two(x1, x3)]
}

impl Operand {
    /// What [`two`] was made of.
    #[inline(always)]
    fn numbers(self) -> [i32; 2] {
        [(self.0[0] as i16).into(), self.0[0] >> 16]
    }
}

/// `totals[r] += Σ_c bytes[r][c] · x[c]`
///
/// Row by row, so that a 486's seven registers hold the sum; the block stays in the cache.
#[optimize(speed)]
#[inline(never)] // its callers have an operation each
pub fn add_products(tiles: &[Tile], x: &[[Operand; 2]], totals: &mut [i32; TILE_ROWS]) {
    for (row, total) in totals.iter_mut().enumerate() {
        for (tile, [even, odd]) in tiles.iter().zip(x) {
            let ([x0, x2], [x1, x3]) = (even.numbers(), odd.numbers());
            let [b0, b1, b2, b3] = tile.rows()[row].map(i32::from);
            *total = total.wrapping_add(b0 * x0 + b1 * x1 + b2 * x2 + b3 * x3);
        }
    }
}

/// `sums[c] = start + Σ_r pairs[r · stride + c] · x[r]`
#[inline(never)]
pub fn columns(pairs: &[Pair], stride: usize, x: &[Operand], start: i32, sums: &mut [i32; COLUMNS]) {
    sums.fill(start);
    for (row, x) in x.iter().enumerate() {
        let [x0, x1] = x.numbers();
        for (sum, &[p0, p1]) in sums.iter_mut().zip(&pairs[row * stride..]) {
            *sum = sum.wrapping_add(i32::from(p0) * x0 + i32::from(p1) * x1);
        }
    }
}

/// `x = ⌊x · scale / 2^(16 + shift)⌋`; returns the largest.
#[optimize(speed)]
#[inline(never)] // into a caller that is optimized for size
pub fn rescale(x: &mut [[i32; 8]], scales: &[[u32; 8]], shift: u32) -> i32 {
    let mut max = i32::MIN;
    for (i, x) in x.iter_mut().enumerate() {
        let scales = scales.get(i).unwrap_or(&scales[0]);
        for (x, &scale) in x.iter_mut().zip(scales) {
            *x = ((i64::from(*x) * i64::from(scale)) >> SCALE_BITS) as i32 >> shift;
            max = max.max(*x);
        }
    }
    max
}

/// `x = min(max - x, farthest)`
pub fn distances(x: &mut [[i32; 8]], max: i32, farthest: u32) {
    for x in x.as_flattened_mut() {
        *x = (max.wrapping_sub(*x) as u32).min(farthest) as i32;
    }
}

/// The sum of all 32-bit numbers.
#[optimize(speed)]
pub fn load(tiles: &[Tile]) -> u32 {
    let words = tiles.iter().flat_map(|tile| tile.rows());
    words.fold(0, |sum, &word| sum.wrapping_add(u32::from_le_bytes(word)))
}
