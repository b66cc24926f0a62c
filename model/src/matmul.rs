//! `W (rows, cols) @ x (cols,) -> y (rows,)`, with weights of 8 bits or 4 and x of at most 16.
//!
//! The result is defined by integers, so that all SIMD gives the same. Where rows have only a scale, a row's total
//! `Σ w · x` is exact in i32, and `y = ⌊total · row scale · 2^(w.exponent + x.exponent + fraction bits)⌋`.
//!
//! Where columns are in groups, x has at most 15 bits. A group's sum is `s = Σ (code - middle) · x`, with its last k
//! bits rounded, and its factors make it
//!
//! `p = (s / 2^k) · d + o · ⌊Σ x / 2⌋`
//!
//! in units of `2^k · row scale`. A row's total is the sum of all `⌊p / 2^6⌋`, 64 groups at a time; past 64 the
//! totals lose bits before they are added.
use crate::allocation::Allocator;
use crate::fixed::{Scale, absmax};
use crate::matrix::factors::GROUP_ROWS;
use crate::matrix::{
    Coding, GROUPED_ACTIVATION, GROUPS, Grouped, Matrix, PRODUCT_SHIFT, SCALE_BITS, TILE_COLS, TILE_ROWS,
    WEIGHT_ZERO, tiles,
};
use crate::simd::{GroupOfX, Operand, Simd};
use crate::workers::Processors;
use alloc::vec::Vec;

/// The largest magnitude of x: 16 bits with the sign.
const MAX_ACTIVATION: i32 = i16::MAX as i32;
/// The largest magnitude of a weight: -128 cannot come from the packer, but from a damaged file.
const WEIGHT_LIMIT: i64 = 128;

/// The largest magnitude of x for a matrix of `cols` columns whose rows have only a scale: 16 bits, less where
/// the total of so many columns would not fit i32.
const fn activation_limit(cols: usize) -> i32 {
    let limit = i32::MAX as i64 / (WEIGHT_LIMIT * cols.next_multiple_of(TILE_COLS) as i64);
    if limit < MAX_ACTIVATION as i64 { limit as i32 } else { MAX_ACTIVATION }
}

const _: () = {
    assert!(activation_limit(8192) == 2047);
    assert!(activation_limit(crate::shape::MAX_LENGTH) >= 63, "7 bits for the longest vector");
};

/// Bytes of weights that a processor takes at a time at least: some microseconds in an emulator. To share less would
/// take longer than to do it.
const PART_BYTES: usize = 4096;

/// The input x of a matrix: integers of at most 16 bits times a power of two.
pub struct Activations {
    /// The integers, as `simd` wants them for the matrix's codes: four operands for eight columns.
    operands: Vec<Operand>,
    /// What is known of x in each group of columns; rows that have only a scale are one.
    groups: Vec<GroupOfX>,
    simd: Simd,
    /// 1 means `2^exponent`.
    exponent: i32,
}

impl Activations {
    /// Operands and groups of up to `cols` values.
    const fn lengths(cols: usize) -> (usize, usize) {
        (cols.next_multiple_of(Grouped::MOST_COLUMNS) / 2, cols.div_ceil(Grouped::COLUMNS[0]))
    }

    /// Bytes of room for vectors of up to `cols` values.
    pub(crate) fn bytes(cols: usize) -> u64 {
        let (operands, groups) = Self::lengths(cols);
        (operands * size_of::<Operand>() + groups * size_of::<GroupOfX>()) as u64
    }

    /// Room for vectors of up to `cols` values, for products by `simd`.
    pub(crate) fn new(allocator: &mut Allocator, cols: usize, simd: Simd) -> Self {
        let (operands, groups) = Self::lengths(cols);
        Self { operands: allocator.zeroed(operands), groups: allocator.zeroed(groups), simd, exponent: 0 }
    }

    /// Takes over `values · unit`, for a unit above 0, as the input of a matrix of this coding: `x = values ·
    /// unit / 2^exponent`, rounded to the nearest, with the smallest exponent that brings the largest to at
    /// most 16 bits.
    #[optimize(speed)]
    #[inline(never)] // into a caller that is optimized for size
    pub fn quantize(&mut self, values: &[i32], unit: Scale, coding: Coding) {
        let max = absmax(values).max(1);
        let limit = match coding {
            Coding::Rows => activation_limit(values.len()),
            Coding::Groups(_) => GROUPED_ACTIVATION,
        };
        let limit = Scale::new(limit as u64, 0);
        let largest = Scale::new(max as u64, 0).mul(unit);
        self.exponent = largest.exponent - limit.exponent + i32::from(largest.mantissa > limit.mantissa);
        // With the largest moved up to 31 bits, 2^28 and more of it are in the product's upper half; there
        // are 2^5 to 2^16 left of that.
        let up = max.leading_zeros() - 1;
        let scale = Scale { exponent: unit.exponent - self.exponent - up as i32, ..unit };
        if let Coding::Groups(grouped) = coding {
            return self.quantize_groups(values, scale, up, grouped);
        }
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
        let mut out = self.operands.as_chunks_mut().0.iter_mut();
        for part in [fours, &[last]] {
            for (x, out) in part.iter().zip(&mut out) {
                *out = four(x);
            }
        }
        self.groups[0].start = [sum.wrapping_mul(-WEIGHT_ZERO); 4];
    }

    /// The same in groups, for values that are first moved up. Columns that fill up the last one are zero.
    #[inline(never)]
    fn quantize_groups(&mut self, values: &[i32], scale: Scale, up: u32, grouped: Grouped) {
        let groups = self.operands.chunks_mut(grouped.columns / 2).zip(&mut self.groups);
        for (values, (operands, group)) in values.chunks(grouped.columns).zip(groups) {
            let (mut x, mut sum) = ([0; Grouped::MOST_COLUMNS], 0);
            for (x, value) in x.iter_mut().zip(values) {
                *x = scale.nearest_of_upper_half(value << up);
                sum += *x;
            }
            self.simd.operands(grouped.bits, &x, operands);
            // Minus the middle of the codes times the sum, and half of what is rounded away.
            let start = ((sum * grouped.doubled(0)) >> 1) + (1 << (grouped.shift() - 1));
            *group = GroupOfX { start: [start; 4], half_sum: [sum >> 1; 4] };
        }
    }
}

/// `y = W @ x` with `w.fraction_bits` fraction bits, rounded down and limited to i32. x has `w.cols`
/// values, y `w.rows`.
pub fn matmul(processors: Processors, w: &Matrix, x: &Activations, y: &mut [i32]) {
    debug_assert_eq!(y.len(), w.rows);
    let least_blocks = PART_BYTES.div_ceil(w.coding.block_bytes(w.cols));
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
    let lost = match w.coding {
        Coding::Rows => {
            y.fill(x.groups[0].start[0]);
            let tiles = tiles(w.block(block));
            x.simd.add_products(tiles, &x.operands[..2 * tiles.len()], y);
            0
        }
        Coding::Groups(grouped) => block_of_groups(w, grouped, block, x, y),
    };
    let scales = w.scales[block * TILE_ROWS..][..TILE_ROWS].as_chunks().0;
    // y = total · scale · 2^(lost + w.exponent + x.exponent + fraction bits)
    let shift = -(SCALE_BITS as i32 + lost + w.exponent + x.exponent + w.fraction_bits);
    x.simd.rescale(y.as_chunks_mut().0, scales, shift);
}

/// The totals of 16 rows, and how many bits they have lost.
#[inline(never)]
fn block_of_groups(
    w: &Matrix,
    grouped: Grouped,
    block: usize,
    x: &Activations,
    y: &mut [i32; TILE_ROWS],
) -> i32 {
    let groups = &x.groups[..grouped.groups(w.cols)];
    // Each 64 groups make a total below 2^31.
    let lost = groups.len().div_ceil(GROUPS).next_power_of_two().trailing_zeros();
    let mut weights = w.block(block);
    for y in y.as_chunks_mut::<GROUP_ROWS>().0 {
        y.fill(0);
        let mut operands = &x.operands[..];
        for groups in groups.chunks(GROUPS) {
            // Half of what rounding down takes from each group.
            let mut total = [groups.len() as i32 / 2; GROUP_ROWS];
            let weights = take(&mut weights, groups.len() * grouped.bytes());
            let operands = take(&mut operands, groups.len() * grouped.columns / 2);
            x.simd.add_groups(grouped, weights, operands, groups, &mut total);
            for (y, total) in y.iter_mut().zip(total) {
                *y = y.wrapping_add(total >> lost); // a damaged file's may overflow
            }
        }
    }
    (grouped.shift() + PRODUCT_SHIFT + lost) as i32
}

/// Takes the first items of a slice.
fn take<'a, T>(items: &mut &'a [T], count: usize) -> &'a [T] {
    let (taken, rest) = items.split_at(count);
    *items = rest;
    taken
}

#[cfg(test)]
mod tests;
