//! One key/value head: the attention of its query heads over its part of the cache.
use super::KvSlot;
use super::cache::{CACHE_BITS, Head, KEY_GROUP, SEGMENT, VALUE_GROUP};
use crate::allocation::Allocator;
use crate::fixed::{LOG2_E, Scale, magnitude_bits, shift_nearest};
use crate::simd::{CACHED_ZERO, COLUMNS, Simd};
use crate::tables::{EXP2_POINT_BITS, TABLE_BITS, Tables};
use alloc::vec::Vec;

/// Bits of a query's magnitude at most. Rounding may bring it to 2^14, which 16 bits hold.
const QUERY_BITS: u32 = 14;
/// The largest weight is 2^14.
const WEIGHT_BITS: u32 = 14;
/// Distances that have a weight: from 0 to 16 powers of two, where nothing is left.
const DISTANCES: usize = 16 << EXP2_POINT_BITS;
/// From this distance on nothing is left of a weight.
const FARTHEST: u32 = DISTANCES as u32 - 1;

const _: () = assert!(SEGMENT.ilog2() + CACHE_BITS + WEIGHT_BITS < 31);

/// Bits of a query's magnitude so that its product with a key fits i32.
const fn query_bits(head_size: usize) -> u32 {
    let bits = 30 - CACHE_BITS - head_size.next_power_of_two().ilog2();
    if bits < QUERY_BITS { bits } else { QUERY_BITS }
}
const _: () = assert!(crate::shape::MAX_LENGTH.ilog2() + CACHE_BITS < 30);

/// The shift of each segment so that the total over `context` positions fits i32.
const fn segment_shift(context: usize) -> u32 {
    let total = (context as i64) << (CACHE_BITS + WEIGHT_BITS);
    let mut shift = 8;
    while (total >> shift) + context as i64 > i32::MAX as i64 {
        shift += 1;
    }
    shift
}
const _: () = assert!(segment_shift(8192) == 8);

/// What the softmax of all heads needs beside the cache.
pub struct Softmax {
    /// The weights by distance, `2^(-distance / 256)` in Q2.14, rounded to the nearest (4096).
    weights: Vec<u16>,
    /// log2(e) / sqrt(head_size).
    scale: Scale,
    query_bits: u32,
    segment_shift: u32,
}

impl Softmax {
    /// Bytes of the table.
    pub const BYTES: usize = DISTANCES * size_of::<u16>();

    /// For heads of `head_size` over `context` positions, from the packer's table.
    #[inline(never)] // a small frame: what is in it is reached by short instructions
    pub(super) fn new(allocator: &mut Allocator, tables: &Tables, head_size: usize, context: usize) -> Self {
        const POINTS: usize = 1 << EXP2_POINT_BITS;
        let mut weights: Vec<u16> = allocator.zeroed(DISTANCES);
        for (i, weight) in weights.iter_mut().enumerate() {
            let exp2 = tables.exp2[i % POINTS] >> (i / POINTS);
            *weight = shift_nearest(exp2 as i32, TABLE_BITS - WEIGHT_BITS) as u16;
        }
        Self {
            weights,
            scale: LOG2_E.mul(Scale::new(head_size as u64, 0).rsqrt()),
            query_bits: query_bits(head_size),
            segment_shift: segment_shift(context),
        }
    }
}

impl Head<'_> {
    /// `out = softmax(q @ kᵀ / √head_size) @ v` over all positions in the cache, for the query heads in q
    /// (query heads, head_size), all with `fraction_bits`.
    ///
    /// e^x is `2^(x · log2(e))`, so a score is in powers of two: in 1/256 of one, and its distance from the
    /// largest is the index of its weight.
    pub(super) fn attend(
        &mut self,
        simd: Simd,
        softmax: &Softmax,
        slot: KvSlot,
        q: &[i32],
        fraction_bits: i32,
    ) {
        for (i, q) in q.chunks_exact(self.head_size).enumerate() {
            let scale = self.multiply_keys(simd, softmax, slot, q, fraction_bits); // scores = q · k
            let scores = &mut self.scores[..slot.count.div_ceil(KEY_GROUP)];
            // Groups of keys are whole. What is behind the last position is not the largest, and weighs
            // nothing.
            scores.as_flattened_mut()[slot.count..].fill(i32::MIN);
            let (mantissa, shift) = scale.in_16_bits();
            let max = simd.rescale(scores, &[[mantissa; 8]], shift); // scores = ⌊scores · scale⌋
            simd.distances(scores, max, FARTHEST); // scores = max - scores
            scores.as_flattened_mut()[slot.count..].fill(FARTHEST as i32);
            self.mix(simd, softmax, slot, i * self.head_size); // Σ weight · v / Σ weight
        }
    }

    /// `scores = q · k` for all positions in the cache. Returns what 1 means, in units of a distance: 1/256
    /// of a power of two.
    #[optimize(speed)]
    #[inline(never)]
    #[cfg_attr(target_os = "none", unsafe(link_section = ".text.hot"))] // kernel/pc/program.ld
    fn multiply_keys(
        &mut self,
        simd: Simd,
        softmax: &Softmax,
        slot: KvSlot,
        q: &[i32],
        fraction_bits: i32,
    ) -> Scale {
        // query = q / 2^shift, rounded to the nearest
        let shift = magnitude_bits(q).saturating_sub(softmax.query_bits).max(1);
        let mut sum = 0;
        for (operand, q) in self.operands.iter_mut().zip(q.as_chunks::<2>().0) {
            let (q0, q1) = (shift_nearest(q[0], shift), shift_nearest(q[1], shift));
            sum += q0 + q1;
            *operand = simd.two(q0, q1);
        }
        let query = &self.operands[..self.head_size / 2];
        let keys = &self.keys[slot.layer * self.layer_of_keys()..];
        for (group, scores) in self.scores[..slot.count.div_ceil(KEY_GROUP)].iter_mut().enumerate() {
            let keys = &keys[group * KEY_GROUP * query.len()..];
            simd.columns(keys, KEY_GROUP, query, -CACHED_ZERO * sum, scores);
        }
        // score = query · key · 2^(both shifts - both fraction bits) · log2(e) / √head_size · 256
        let shifts = (shift + self.shifts[slot.layer][0] + EXP2_POINT_BITS) as i32;
        Scale { exponent: softmax.scale.exponent + shifts - 2 * fraction_bits, ..softmax.scale }
    }

    /// `out[at..] = Σ weight · value / Σ weight`
    #[optimize(speed)]
    #[inline(never)]
    #[cfg_attr(target_os = "none", unsafe(link_section = ".text.hot"))] // kernel/pc/program.ld
    fn mix(&mut self, simd: Simd, softmax: &Softmax, slot: KvSlot, at: usize) {
        let weights: &[u16; DISTANCES] = softmax.weights.first_chunk().expect("there was memory for it");
        let weight = |distance: i32| i32::from(weights[distance as usize % DISTANCES]);
        let (values, width) = (&self.values[slot.layer * self.layer_of_values()..], self.width());
        let end = slot.count.next_multiple_of(VALUE_GROUP);
        let mut sum = 0;
        self.totals.as_flattened_mut().fill(0);
        for (segment, distances) in self.scores.as_flattened()[..end].chunks(SEGMENT).enumerate() {
            let mut segment_sum = 0;
            let pairs = distances.as_chunks::<VALUE_GROUP>().0;
            for (operand, &[d0, d1]) in self.operands.iter_mut().zip(pairs) {
                let (w0, w1) = (weight(d0), weight(d1));
                segment_sum += w0 + w1;
                *operand = simd.two(w0, w1);
            }
            sum += segment_sum as u64; // 2^18 positions of 2^14 each do not fit 32 bits
            let weights = &self.operands[..pairs.len()];
            for (part, totals) in self.totals.iter_mut().enumerate() {
                let values = &values[segment * (SEGMENT / VALUE_GROUP) * width + part * COLUMNS..];
                let mut sums = [0; COLUMNS];
                simd.columns(values, width, weights, -CACHED_ZERO * segment_sum, &mut sums);
                for (total, sum) in totals.iter_mut().zip(sums) {
                    *total += sum >> softmax.segment_shift;
                }
            }
        }
        // out = Σ (weight · value) / Σ weight · 2^shifts, rounded to the nearest
        let shifts = (softmax.segment_shift + self.shifts[slot.layer][1]) as i32;
        let scale = Scale::new(1, shifts).div(Scale::new(sum, 0));
        for (out, &total) in self.out[at..][..self.head_size].iter_mut().zip(self.totals.as_flattened()) {
            *out = scale.nearest(total);
        }
    }
}
