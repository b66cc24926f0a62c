//! The inner loops: which instructions calculate them, and the proofs that these may be used.
//!
//! Nearly all time goes into these operations. The module `scalar` says what each gives; with other
//! instructions it is the same integers, faster.
//!
//! | operation | equation | for |
//! | --- | --- | --- |
//! | [`Simd::add_products`] | `totals[r] += Σ_c bytes[r][c] · x[c]`, 16 rows | matrices |
//! | [`Simd::add_groups`] | `totals[r] += Σ_g ⌊(⌊s[r] / 2^k⌋ · d[r] + o[r] · half sum) / 2^6⌋` with `s[r] = start + Σ_c codes[r][c] · x[c]`, 8 rows | matrices in groups |
//! | [`Simd::columns`] | `sums[c] = start + Σ_r pairs[r][c] · x[r]`, 8 columns | queries · keys, weights · values |
//! | [`Simd::rescale`] | `x = ⌊x · scale / 2^(16 + shift)⌋` | outputs of matrices, scores |
//! | [`Simd::distances`] | `x = min(max - x, farthest)` | softmax |
//! | [`Simd::load`] | `Σ bytes` | the load-only pass |
//!
//! What they multiply lies in memory without signs, [`WEIGHT_ZERO`] or [`CACHED_ZERO`] too large: who takes
//! it out of a register by shifts and masks has no sign to mind. So sums start at minus that much of `Σ x`.
//! They wrap on their way, and are right in the end, as i32 holds what they are.
//!
//! `sse2` is for processors, `sse41` for QEMU's translator alone; [`self_test`] tries all operations at each
//! boot.
#[cfg(doc)]
use crate::matrix::WEIGHT_ZERO;
use crate::matrix::factors::GROUP_ROWS;
use crate::matrix::{
    Bits, Grouped, MORE_WITHOUT_OFFSETS, PRODUCT_SHIFT, SUM_SHIFT, TILE_COLS, TILE_ROWS, Tile,
};
use bytemuck::{Pod, Zeroable};
#[cfg(target_arch = "x86")]
use core::arch::x86 as intrinsics;
#[cfg(target_arch = "x86_64")]
use core::arch::x86_64 as intrinsics;

mod groups;
pub use groups::GroupOfX;
use groups::Totals;
mod scalar;
pub mod self_test;
#[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
mod sse2;
#[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
mod sse2_groups;
#[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
mod sse41;
#[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
mod sse41_groups;
#[cfg(test)]
mod tests;
// Elsewhere there is no proof of either.
#[cfg(not(any(target_arch = "x86", target_arch = "x86_64")))]
use {scalar as sse2, scalar as sse41};

/// How the operations are calculated. All give the same integers.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Simd {
    /// Plain integer instructions: runs on a 486.
    #[default]
    Scalar,
    /// SSE2: `pmaddwd` on four rows at once. The fastest on hardware.
    Sse2(Sse2),
    /// SSE4.1: `pmulld` on four rows at once. The fastest in QEMU's translator.
    Sse41(Sse41),
}

/// The proof that the processor has SSE2 and that it is switched on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Sse2(());

/// The proof that the processor has SSE2 to SSE4.1 and that they are switched on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Sse41(());

impl Sse2 {
    /// # Safety
    /// The processor must have SSE2 (CPUID leaf 1, EDX bit 26) and the system must have switched
    /// it on (CR0.EM = 0, CR4.OSFXSR = 1; SDM volume 1, 11.6.2).
    pub const unsafe fn new() -> Self {
        Self(())
    }
}

impl Sse41 {
    /// # Safety
    /// As for [`Sse2::new`], and the processor must have SSE3 and SSE4.1 (CPUID leaf 1, ECX bits 0
    /// and 19).
    pub const unsafe fn new() -> Self {
        Self(())
    }
}

/// Two numbers of the key/value cache, which are multiplied by two others.
pub type Pair = [u16; 2];

/// A cached number of zero. They have 12 bits with the sign.
pub const CACHED_ZERO: i32 = 1 << 11;

/// Columns of pairs that are handled at once.
pub const COLUMNS: usize = 8;

const _: () = assert!(SUM_SHIFT == 3 && MORE_WITHOUT_OFFSETS == 3 && PRODUCT_SHIFT == 6, "in assembly");

/// Numbers of at most 16 bits with the sign, as the instructions want what they multiply by: two, or a
/// quarter of eight.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C, align(16))]
pub struct Operand([i32; 4]);

impl Operand {
    /// Multiplies to zero.
    pub const ZERO: Self = Self([0; 4]);
}

/// Calls an operation of the module that `$simd` names.
macro_rules! call {
    ($simd:expr, $operation:ident($($argument:expr),*)) => {
        match $simd {
            Simd::Scalar => scalar::$operation($($argument),*),
            // SAFETY: an `Sse2` exists only where its creator promised that SSE2 works. What else the
            // operation asks for was asserted.
            Simd::Sse2(_) => unsafe { sse2::$operation($($argument),*) },
            // SAFETY: as above, for SSE4.1.
            Simd::Sse41(_) => unsafe { sse41::$operation($($argument),*) },
        }
    };
}

/// An operation of the module that `$simd` names.
macro_rules! choose {
    ($simd:expr, $operation:ident) => {
        match $simd {
            Simd::Scalar => scalar::$operation,
            Simd::Sse2(_) => sse2::$operation,
            Simd::Sse41(_) => sse41::$operation,
        }
    };
}

#[allow(unused_unsafe, reason = "where a module has no instructions for an operation, it is the scalar one")]
impl Simd {
    /// Two numbers to multiply pairs by.
    #[inline(always)] // a call for each two would cost more than the work
    pub fn two(self, x0: i32, x1: i32) -> Operand {
        if let Self::Sse41(_) = self { sse41::two(x0, x1) } else { scalar::two(x0, x1) }
    }

    /// Four numbers to multiply the four columns of a tile by.
    #[inline(always)]
    pub fn four(self, x: [i32; TILE_COLS]) -> [Operand; 2] {
        match self {
            Self::Scalar => scalar::four(x),
            Self::Sse2(_) => sse2::four(x),
            Self::Sse41(_) => sse41::four(x),
        }
    }

    /// Numbers to multiply columns of codes by, eight at a time: four operands for them. Those for codes of 8 bits
    /// are two times [`Simd::four`].
    #[inline(never)] // 600 bytes, for what is done once for a vector
    pub fn operands(self, bits: Bits, x: &[i32], out: &mut [Operand]) {
        for (x, out) in x.as_chunks().0.iter().zip(out.as_chunks_mut::<4>().0) {
            for (i, out) in out.iter_mut().enumerate() {
                *out = match self {
                    Self::Scalar => scalar::of_eight(x, i),
                    Self::Sse2(_) => sse2::of_eight(bits, x, i),
                    Self::Sse41(_) => sse41::of_eight(bits, x, i),
                };
            }
        }
    }

    /// `totals[r] += Σ_c bytes[r][c] · x[c]`: the products of 16 rows, of as many columns as tiles have. x has two
    /// operands for four columns.
    #[inline(always)]
    pub fn add_products(self, tiles: &[Tile], x: &[Operand], totals: &mut [i32; TILE_ROWS]) {
        assert!(2 * tiles.len() == x.len() && !x.is_empty(), "a number for each column");
        call!(self, add_products(tiles, x, totals));
    }

    /// `totals[r] += Σ_g ⌊(⌊s[r] / 2^k⌋ · d[r] + o[r] · half sum) / 2^6⌋` with `s[r] = start + Σ_c codes[r][c] · x[c]`: what groups of
    /// columns are in 8 rows. x has two operands for four columns; k is [`Grouped::shift`].
    pub fn add_groups(
        self,
        grouped: Grouped,
        weights: &[u8],
        x: &[Operand],
        groups: &[GroupOfX],
        totals: &mut [i32; GROUP_ROWS],
    ) {
        assert!(
            !groups.is_empty() && weights.len() == groups.len() * grouped.bytes(),
            "weights of each group"
        );
        assert!(x.len() == groups.len() * grouped.columns / 2, "a number for each column");
        let words = (grouped.columns / grouped.word_columns()) as u32;
        let mut all = Totals { rows: *totals, words };
        // One call by a pointer: nine would be 400 bytes.
        let add: unsafe fn(&[u8], &[Operand], &[GroupOfX], &mut Totals) =
            match (grouped.bits, grouped.offsets) {
                (Bits::Four, _) => choose!(self, add_groups_of_4_bits),
                (Bits::Eight, true) => choose!(self, add_groups_with_offsets),
                (Bits::Eight, false) => choose!(self, add_groups_of_8_bits),
            };
        // SAFETY: an `Sse2` or `Sse41` exists only where its creator promised that they work. What else the
        // operation asks for was asserted.
        unsafe { add(weights, x, groups, &mut all) };
        *totals = all.rows;
    }

    /// `sums[c] = start + Σ_r pairs[r · stride + c] · x[r]`
    #[inline(always)]
    pub fn columns(
        self,
        pairs: &[Pair],
        stride: usize,
        x: &[Operand],
        start: i32,
        sums: &mut [i32; COLUMNS],
    ) {
        assert!(!x.is_empty() && (x.len() - 1) * stride + COLUMNS <= pairs.len(), "rows outside the cache");
        call!(self, columns(pairs, stride, x, start, sums));
    }

    /// `x = ⌊x · scale / 2^(16 + shift)⌋`, with a scale below 2^16 for each x, or eight for all. Returns the
    /// largest. Where the shift goes to the left, what the product loses is still 16 bits, and results
    /// are limited to i32.
    #[inline(always)]
    pub fn rescale(self, x: &mut [[i32; 8]], scales: &[[u32; 8]], shift: i32) -> i32 {
        assert!(scales.len() == 1 || scales.len() == x.len(), "a scale for each number");
        let max = call!(self, rescale(x, scales, shift.clamp(0, 31) as u32));
        if shift < 0 { shift_left(x, shift.unsigned_abs()) } else { max }
    }

    /// `x = min(max - x, farthest)`, for x of max or less.
    #[inline(always)]
    pub fn distances(self, x: &mut [[i32; 8]], max: i32, farthest: u32) {
        call!(self, distances(x, max, farthest));
    }

    /// The sum of all 32-bit numbers in the tiles, so that no compiler can leave out the loads.
    pub fn load(self, tiles: &[Tile]) -> u32 {
        call!(self, load(tiles))
    }
}

/// Shifts to the left, limited to i32; returns the largest. For scales that are large beside the results'
/// unit.
#[cold]
#[inline(never)]
fn shift_left(x: &mut [[i32; 8]], shift: u32) -> i32 {
    let mut max = i32::MIN;
    for x in x.as_flattened_mut() {
        *x = crate::fixed::saturate(i64::from(*x) << shift.min(32));
        max = max.max(*x);
    }
    max
}

impl core::fmt::Display for Simd {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Scalar => "no SIMD",
            Self::Sse2(_) => "SSE2",
            Self::Sse41(_) => "SSE4.1",
        })
    }
}
