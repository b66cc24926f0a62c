//! Softmax: `2^(score - max) / Σ 2^(score - max)`, the scores in powers of two.
//!
//! A score becomes an integer in units of 1/256, so that its distance from the largest one is the index
//! of its weight in a table.
use crate::allocation::Allocator;
use crate::fixed::Scale;
use crate::requantize::{Eight, SCALE_BITS, Scales, scale};
use crate::simd::Simd;
use crate::tables::{EXP2_POINT_BITS, TABLE_BITS, Tables};
use alloc::vec::Vec;

/// The largest weight is 2^14.
pub const WEIGHT_BITS: u32 = 14;
/// Distances that have a weight: from 0 to 16 powers of two, where nothing is left.
const DISTANCES: usize = 16 << EXP2_POINT_BITS;
/// From this distance on nothing is left of a weight.
pub const FARTHEST: i32 = DISTANCES as i32 - 1;

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

/// How a sum `q · k`, of a magnitude up to 2^30, becomes a score: as [`crate::requantize`].
#[derive(Clone, Copy)]
pub struct ScoreScale {
    mantissa: u32,
    shift: i32,
}

impl ScoreScale {
    /// For sums whose 1 means `unit` powers of two.
    pub const fn new(unit: Scale) -> Self {
        // unit's mantissa has 31 bits.
        let shift = -(unit.exponent + 31 + EXP2_POINT_BITS as i32);
        Self { mantissa: unit.mantissa >> (31 - SCALE_BITS), shift }
    }
}

/// Turns sums into scores; returns the largest.
pub fn scores(simd: Simd, sums: &mut [Eight], unit: ScoreScale) -> i32 {
    let max = scale(simd, sums, Scales::One(unit.mantissa), unit.shift);
    // Only a model whose scores are so large that one position counts has a shift to the left.
    if unit.shift < 0 { limited(sums, max) } else { max }
}

/// Limits scores, and the largest, so that their distances fit i32.
#[cold]
#[inline(never)]
fn limited(scores: &mut [Eight], max: i32) -> i32 {
    const LIMIT: i32 = 1 << 29;
    scores.as_flattened_mut().iter_mut().for_each(|score| *score = (*score).clamp(-LIMIT, LIMIT));
    max.clamp(-LIMIT, LIMIT)
}

/// Turns scores into how far they are below `max`: distances, 4,095 at most.
pub fn distances(simd: Simd, scores: &mut [Eight], max: i32) {
    match simd {
        #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
        Simd::Sse41(_) => {
            // SAFETY: an `Sse41` exists only where its creator promised that SSE4.1 works.
            unsafe { sse41::distances(scores, max) }
        }
        _ => scores.as_flattened_mut().iter_mut().for_each(|score| *score = (max - *score).min(FARTHEST)),
    }
}

/// Four at a time.
#[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
mod sse41 {
    use super::{Eight, FARTHEST};
    #[cfg(target_arch = "x86")]
    use core::arch::x86::*;
    #[cfg(target_arch = "x86_64")]
    use core::arch::x86_64::*;

    #[target_feature(enable = "sse4.1")]
    #[inline(never)]
    #[optimize(speed)]
    pub fn distances(scores: &mut [Eight], max: i32) {
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
            let sums: Vec<Eight> = sums.iter().map(|&sum| [sum, sum / 3, -sum / 1000, 7, 0, -1, -sum, sum / 2]).collect();
            let scale = ScoreScale::new(Scale::new(mantissa, exponent));
            let of = |simd| {
                let mut scores_of = sums.clone();
                let max = scores(simd, &mut scores_of, scale);
                assert_eq!(scores_of.as_flattened().iter().max(), Some(&max));
                let scores = scores_of.clone();
                distances(simd, &mut scores_of, max);
                (scores, max, scores_of)
            };
            for simd in Simd::all() {
                prop_assert_eq!(of(simd), of(Simd::Scalar), "{:?}", simd);
            }
        }

        #[test]
        fn scores_are_products_rounded_down(sum in -(1i32 << 30)..1 << 30, unit in 1e-12f64..1e-4) {
            let unit_scale = Scale::new((unit * 2f64.powi(60)) as u64, -60);
            let mut got = [[sum; 8]];
            let max = scores(Simd::Scalar, &mut got, ScoreScale::new(unit_scale));
            let exact = f64::from(sum) * unit * 256.0;
            let limited = exact.clamp(-(2f64.powi(29)), 2f64.powi(29));
            prop_assert!((f64::from(got[0][0]) - limited).abs() <= 1.0 + exact.abs() * 2f64.powi(-15), "{got:?} {exact}");
            prop_assert_eq!(max, got[0][0]);
        }
    }
}
