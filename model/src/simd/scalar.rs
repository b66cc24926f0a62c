//! What each operation gives, in plain integer instructions, which run everywhere.
use super::groups::Totals;
use super::{COLUMNS, GroupOfX, Operand, PRODUCT_SHIFT, Pair};
use crate::matrix::factors::{self, Factors, GROUP_ROWS};
use crate::matrix::{Grouped, SCALE_BITS, TILE_COLS, TILE_ROWS, Tile};

/// `x0` and `x1` as the halves of a number, four times: what `pmaddwd` wants.
#[inline(always)]
pub fn two(x0: i32, x1: i32) -> Operand {
    let both = x0 & 0xFFFF | x1 << 16;
    Operand([both, both, both, both])
}

/// Four numbers as they are, in the first of two operands.
#[inline(always)]
pub fn four(x: [i32; TILE_COLS]) -> [Operand; 2] {
    [Operand(x), Operand([0; 4])]
}

/// The operand i of four for eight numbers.
#[inline(always)]
pub fn of_eight(x: &[i32; 8], i: usize) -> Operand {
    Operand(if i.is_multiple_of(2) { core::array::from_fn(|column| x[2 * i + column]) } else { [0; 4] })
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
pub fn add_products(tiles: &[Tile], x: &[Operand], totals: &mut [i32; TILE_ROWS]) {
    for (row, total) in totals.iter_mut().enumerate() {
        for (tile, [x, _]) in tiles.iter().zip(x.as_chunks().0) {
            let [[b0, b1, b2, b3], [x0, x1, x2, x3]] = [tile.rows()[row].map(i32::from), x.0];
            *total = total.wrapping_add(b0 * x0 + b1 * x1 + b2 * x2 + b3 * x3);
        }
    }
}

/// [`super::Simd::add_groups`] for codes of 4 bits with offsets.
pub fn add_groups_of_4_bits(weights: &[u8], x: &[Operand], groups: &[GroupOfX], totals: &mut Totals) {
    add_groups(Grouped::four, weights, x, groups, totals);
}

/// [`super::Simd::add_groups`] for codes of 8 bits with offsets.
pub fn add_groups_with_offsets(weights: &[u8], x: &[Operand], groups: &[GroupOfX], totals: &mut Totals) {
    add_groups(Grouped::eight_with_offsets, weights, x, groups, totals);
}

/// [`super::Simd::add_groups`] for codes of 8 bits without offsets.
pub fn add_groups_of_8_bits(weights: &[u8], x: &[Operand], groups: &[GroupOfX], totals: &mut Totals) {
    add_groups(Grouped::eight, weights, x, groups, totals);
}

/// What a damaged file makes too large overflows, as in SIMD.
#[inline(never)] // three times
fn add_groups(
    grouped: fn(usize) -> Grouped,
    weights: &[u8],
    x: &[Operand],
    groups: &[GroupOfX],
    totals: &mut Totals,
) {
    let grouped = grouped(2 * x.len() / groups.len());
    let of_groups = weights.chunks_exact(grouped.bytes()).zip(x.chunks_exact(grouped.columns / 2));
    for ((weights, x), group) in of_groups.zip(groups) {
        let (codes, factors) = weights.split_at(grouped.code_bytes());
        for (row, total) in totals.rows.iter_mut().enumerate() {
            let mut sum = group.start[0];
            let words = codes.as_chunks::<{ 4 * GROUP_ROWS }>().0.iter();
            for (words, x) in words.zip(x.chunks_exact(grouped.word_columns() / 2)) {
                let mut codes = u32::from_le_bytes(words.as_chunks().0[row]);
                for [four, _] in x.as_chunks().0 {
                    for x in four.0 {
                        sum = sum.wrapping_add((codes & grouped.mask()) as i32 * x);
                        codes >>= grouped.bits as u32;
                    }
                }
            }
            let Factors { d, o } = factors::of_row(factors, row);
            let product = (sum >> grouped.shift()).wrapping_mul(d as i32);
            let product = product.wrapping_add(o.wrapping_mul(group.half_sum[0]));
            *total = total.wrapping_add(product >> PRODUCT_SHIFT);
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
