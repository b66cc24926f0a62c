//! What each operation gives, in plain integer instructions, which run everywhere.
use super::{COLUMNS, MORE_WITHOUT_OFFSETS, Operand, PRODUCT_SHIFT, Pair, SUM_SHIFT};
use crate::matrix::factors::{Factors, Vector, row_of};
use crate::matrix::{SCALE_BITS, TILE_ROWS, Tile};

/// `x0` and `x1` as the halves of a number, four times: what `pmaddwd` wants.
#[inline(always)]
pub fn two(x0: i32, x1: i32) -> Operand {
    let both = x0 & 0xFFFF | x1 << 16;
    Operand([both, both, both, both])
}

/// For bytes: even columns of four, then odd ones.
pub fn bytes(x: &[i32; 8]) -> [Operand; 4] {
    [[0, 2], [1, 3], [4, 6], [5, 7]].map(|[a, b]| two(x[a], x[b]))
}

/// For codes of 4 bits: each with the one four columns later, 16 bits later in the row's number.
pub fn codes_of_4_bits(x: &[i32; 8]) -> [Operand; 4] {
    [[0, 4], [1, 5], [2, 6], [3, 7]].map(|[a, b]| two(x[a], x[b]))
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
pub fn add_products_8(tiles: &[Tile], x: &[Operand], totals: &mut [i32; TILE_ROWS]) {
    for (row, total) in totals.iter_mut().enumerate() {
        for (tile, [even, odd]) in tiles.iter().zip(x.as_chunks().0) {
            let ([x0, x2], [x1, x3]) = (even.numbers(), odd.numbers());
            let [b0, b1, b2, b3] = tile.rows()[row].map(i32::from);
            *total = total.wrapping_add(b0 * x0 + b1 * x1 + b2 * x2 + b3 * x3);
        }
    }
}

/// `totals[r] += Σ_c codes[r][c] · x[c]`, for codes of 4 bits.
#[inline(never)]
pub fn add_products_4(tiles: &[Tile], x: &[Operand], totals: &mut [i32; TILE_ROWS]) {
    for (row, total) in totals.iter_mut().enumerate() {
        for (tile, x) in tiles.iter().zip(x.as_chunks::<4>().0) {
            let mut codes = u32::from_le_bytes(tile.rows()[row]);
            for x in x {
                let ([x0, x4], code) = (x.numbers(), |shift: u32| (codes >> shift & 0xF) as i32);
                *total = total.wrapping_add(code(0) * x0 + code(16) * x4);
                codes >>= 4;
            }
        }
    }
}

/// `y[r] += ⌊(⌊s[r] / 2^k⌋ · d[r] + o[r] · half sum) / 2^6⌋`
pub fn add_group_with_offsets(
    sums: &[i32; TILE_ROWS],
    factors: &[Vector; 3],
    half_sum: i32,
    y: &mut [i32; TILE_ROWS],
) {
    add_rows(SUM_SHIFT, sums, factors, half_sum, y);
}

/// `y[r] += ⌊⌊s[r] / 2^k⌋ · d[r] / 2^6⌋`
pub fn add_group(sums: &[i32; TILE_ROWS], factors: &[Vector; 2], y: &mut [i32; TILE_ROWS]) {
    add_rows(SUM_SHIFT + MORE_WITHOUT_OFFSETS, sums, factors, 0, y);
}

/// What a damaged file makes too large overflows, as in SIMD.
#[optimize(speed)]
#[inline(never)] // twice
fn add_rows(k: u32, sums: &[i32; TILE_ROWS], factors: &[Vector], half_sum: i32, y: &mut [i32; TILE_ROWS]) {
    for (row, (y, sum)) in y.iter_mut().zip(sums).enumerate() {
        let Factors { d, o } = row_of(factors, row);
        let product = (sum >> k).wrapping_mul(d as i32).wrapping_add(o.wrapping_mul(half_sum));
        *y = y.wrapping_add(product >> PRODUCT_SHIFT);
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
