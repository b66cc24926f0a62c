//! Softmax: `2^(score - max) / Σ 2^(score - max)`, the scores in powers of two.
//!
//! A score becomes an integer in units of 1/256, so that its distance from the largest one is the index
//! of its weight in a table.
use super::cache::KEY_GROUP;
use crate::allocation::Allocator;
use crate::fixed::Scale;
use crate::matmul::Kernel;
use crate::tables::{EXP2_POINT_BITS, TABLE_BITS, Tables};
use alloc::vec::Vec;

/// The scores of a group of keys: two vectors.
type Group = [i32; KEY_GROUP];
const _: () = assert!(KEY_GROUP.is_multiple_of(4), "whole vectors");

/// The largest weight is 2^14.
pub const WEIGHT_BITS: u32 = 14;
/// Distances that have a weight: from 0 to 16 powers of two, where nothing is left.
const DISTANCES: usize = 16 << EXP2_POINT_BITS;
/// From this distance on nothing is left of a weight.
pub const FARTHEST: i32 = DISTANCES as i32 - 1;
/// Bits of the mantissa that a sum is multiplied by, and that the product loses.
const MANTISSA_BITS: u32 = 16;
/// Bits of a product's magnitude.
const PRODUCT_BITS: i32 = 30;

/// The weights by distance: `2^(-distance/256)` in Q2.14, to the nearest.
pub struct Weights(Vec<u16>);

/// [`Weights`], ready to be looked up.
#[derive(Clone, Copy)]
pub struct Lookup<'a>(&'a [u16; DISTANCES]);

impl Weights {
    /// Memory that they take.
    pub const BYTES: usize = DISTANCES * size_of::<u16>();

    /// From the packer's table.
    pub fn new(allocator: &mut Allocator, tables: &Tables) -> Self {
        const POINTS: usize = 1 << EXP2_POINT_BITS;
        const EXCESS: u32 = TABLE_BITS - WEIGHT_BITS;
        let entry = |i: usize| ((tables.exp2[i % POINTS] >> (i / POINTS)) + (1 << (EXCESS - 1))) >> EXCESS;
        let mut weights = allocator.room(DISTANCES);
        let room = weights.capacity().min(DISTANCES);
        weights.extend((0..room).map(|i| entry(i) as u16));
        Self(weights)
    }

    /// All of them, or `None` if there was no memory.
    #[inline(always)]
    pub fn lookup(&self) -> Option<Lookup<'_>> {
        self.0.first_chunk().map(Lookup)
    }
}

impl Lookup<'_> {
    /// The weight at what [`distances`] gave.
    #[inline(always)]
    pub fn weight(self, distance: i32) -> i32 {
        self.0[distance as usize % DISTANCES].into()
    }
}

/// How a sum `q · k`, of a magnitude up to 2^30, becomes a score:
/// `((sum · mantissa) >> 16) >> shift`.
#[derive(Clone, Copy)]
pub struct ScoreScale {
    /// Below 2^16.
    mantissa: i32,
    /// To the left where it is negative.
    shift: i32,
}

impl ScoreScale {
    /// For sums whose 1 means `unit` powers of two.
    pub const fn new(unit: Scale) -> Self {
        // unit's mantissa has 31 bits.
        let shift = -(unit.exponent + 31 + EXP2_POINT_BITS as i32);
        Self { mantissa: (unit.mantissa >> (31 - MANTISSA_BITS)) as i32, shift }
    }
}

/// Turns sums into scores; returns the largest.
pub fn scores(kernel: Kernel, sums: &mut [Group], scale: ScoreScale) -> i32 {
    let ScoreScale { mantissa, shift } = scale;
    let right = shift.clamp(0, 31) as u32;
    let max = match kernel {
        #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
        Kernel::Sse41(_) => {
            // SAFETY: an `Sse41` exists only where its creator promised that SSE4.1 works.
            unsafe { sse41::scores(sums, mantissa, right) }
        }
        _ => scalar::scores(sums, mantissa, right),
    };
    if shift < 0 { shift_left(sums, max, -shift) } else { max }
}

/// Scores, and the largest, to the left: for models whose scores are so large that only one position counts.
#[cold]
#[inline(never)]
fn shift_left(scores: &mut [Group], max: i32, shift: i32) -> i32 {
    let shift = shift.min(PRODUCT_BITS - 1);
    let limit = (1 << (PRODUCT_BITS - 1)) >> shift;
    let shifted = |score: i32| score.clamp(-limit, limit) << shift;
    scores.as_flattened_mut().iter_mut().for_each(|score| *score = shifted(*score));
    shifted(max)
}

/// Turns scores into how far they are below `max`: distances, 4,095 at most.
pub fn distances(kernel: Kernel, scores: &mut [Group], max: i32) {
    match kernel {
        #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
        Kernel::Sse41(_) => {
            // SAFETY: an `Sse41` exists only where its creator promised that SSE4.1 works.
            unsafe { sse41::distances(scores, max) }
        }
        _ => scores.as_flattened_mut().iter_mut().for_each(|score| *score = (max - *score).min(FARTHEST)),
    }
}

mod scalar {
    use super::{Group, MANTISSA_BITS};

    #[optimize(speed)]
    #[inline(never)] // into a caller that is optimized for size
    pub fn scores(sums: &mut [Group], mantissa: i32, shift: u32) -> i32 {
        let mut max = i32::MIN;
        for sum in sums.as_flattened_mut() {
            let product = ((i64::from(*sum) * i64::from(mantissa)) >> MANTISSA_BITS) as i32;
            *sum = product >> shift;
            max = max.max(*sum);
        }
        max
    }
}

/// Four at a time.
#[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
mod sse41 {
    use super::{FARTHEST, Group, MANTISSA_BITS};
    #[cfg(target_arch = "x86")]
    use core::arch::x86::*;
    #[cfg(target_arch = "x86_64")]
    use core::arch::x86_64::*;

    #[target_feature(enable = "sse4.1")]
    #[inline(never)]
    #[cfg_attr(target_os = "none", unsafe(link_section = ".text.hot"))] // kernel/link.ld
    #[optimize(speed)]
    pub fn scores(sums: &mut [Group], mantissa: i32, shift: u32) -> i32 {
        let (mantissa, shift) = (_mm_set1_epi32(mantissa), _mm_cvtsi32_si128(shift as i32));
        let lower = _mm_set1_epi32((1 << MANTISSA_BITS) - 1);
        let mut max = _mm_set1_epi32(i32::MIN);
        for sums in sums.as_flattened_mut().as_chunks_mut::<4>().0 {
            // SAFETY: 16 bytes.
            let sum = unsafe { _mm_loadu_si128(sums.as_ptr().cast()) };
            let upper = _mm_mullo_epi32(_mm_srai_epi32::<{ MANTISSA_BITS as i32 }>(sum), mantissa);
            let lower = _mm_mullo_epi32(_mm_and_si128(sum, lower), mantissa);
            let lower = _mm_srli_epi32::<{ MANTISSA_BITS as i32 }>(lower);
            let score = _mm_sra_epi32(_mm_add_epi32(upper, lower), shift);
            max = _mm_max_epi32(max, score);
            // SAFETY: 16 bytes.
            unsafe { _mm_storeu_si128(sums.as_mut_ptr().cast(), score) };
        }
        // SAFETY: both are 16 bytes of plain integers.
        let max = unsafe { core::mem::transmute::<__m128i, [i32; 4]>(max) };
        max[0].max(max[1]).max(max[2].max(max[3]))
    }

    #[target_feature(enable = "sse4.1")]
    #[inline(never)]
    #[optimize(speed)]
    pub fn distances(scores: &mut [Group], max: i32) {
        let (max, farthest) = (_mm_set1_epi32(max), _mm_set1_epi32(FARTHEST));
        for scores in scores.as_flattened_mut().as_chunks_mut::<4>().0 {
            // SAFETY: 16 bytes, read and written.
            unsafe {
                let score = _mm_loadu_si128(scores.as_ptr().cast());
                let distance = _mm_min_epi32(_mm_sub_epi32(max, score), farthest);
                _mm_storeu_si128(scores.as_mut_ptr().cast(), distance);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn kernels_give_the_same_scores_and_distances(
            sums in prop::collection::vec(-(1i32 << 30)..=1 << 30, 1..10), mantissa in 1u64..1 << 40, exponent in -60i32..-20
        ) {
            let sums: Vec<Group> = sums.iter().map(|&sum| [sum, sum / 3, -sum / 1000, 7, 0, -1, -sum, sum / 2]).collect();
            let scale = ScoreScale::new(Scale::new(mantissa, exponent));
            let of = |kernel| {
                let mut scores_of = sums.clone();
                let max = scores(kernel, &mut scores_of, scale);
                assert_eq!(scores_of.as_flattened().iter().max(), Some(&max));
                let scores = scores_of.clone();
                distances(kernel, &mut scores_of, max);
                (scores, max, scores_of)
            };
            for kernel in Kernel::all() {
                prop_assert_eq!(of(kernel), of(Kernel::Scalar), "{:?}", kernel);
            }
        }

        #[test]
        fn scores_are_products_rounded_down(sum in -(1i32 << 30)..1 << 30, unit in 1e-12f64..1e-4) {
            let unit_scale = Scale::new((unit * 2f64.powi(60)) as u64, -60);
            let mut got = [[sum; KEY_GROUP]];
            let max = scores(Kernel::Scalar, &mut got, ScoreScale::new(unit_scale));
            let exact = f64::from(sum) * unit * 256.0;
            let limited = exact.clamp(-(2f64.powi(29)), 2f64.powi(29));
            prop_assert!((f64::from(got[0][0]) - limited).abs() <= 1.0 + exact.abs() * 2f64.powi(-15), "{got:?} {exact}");
            prop_assert_eq!(max, got[0][0]);
        }
    }
}
