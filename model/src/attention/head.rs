//! One key/value head: the attention of its query heads over its part of the cache.
use super::KvSlot;
use super::cache::{CACHE_BITS, Cache, KEY_GROUP, VALUE_GROUP, rounded, value_width};
use super::products::{COLUMNS, Operand, columns, start};
use super::shrink::Shrink;
use super::softmax::{FARTHEST, ScoreScale, WEIGHT_BITS, Weights, distances, scores};
use crate::allocation::Allocator;
use crate::fixed::{Factor, LOG2_E, Scale};
use crate::requantize::Eight;
use crate::shape::Shape;
use crate::simd::Simd;
use alloc::vec::Vec;

/// Bits of a query's magnitude at most. Rounding may bring it to 2^14, which 16 bits hold.
const QUERY_BITS: u32 = 14;
/// Positions whose weighted values are added before the sum is shifted.
const SEGMENT: usize = 32;
const _: () = assert!(SEGMENT.ilog2() + CACHE_BITS + WEIGHT_BITS < 31);

/// The cache of a key/value head, in all layers, and the space its attention works in.
pub struct Head {
    /// Keys and values.
    pub cache: Cache,
    query: Vec<Operand>,
    /// Scores of all positions; then their distances from the largest.
    scores: Vec<Eight>,
    /// The weights of a segment's positions.
    weights: Vec<Operand>,
    totals: Vec<i32>,
    /// The result, query head by query head.
    out: Vec<i32>,
    head_size: usize,
    /// Bits of a query's magnitude.
    query_bits: u32,
    /// Shift of a segment of weighted values.
    segment_shift: u32,
    /// log2(e) / sqrt(head_size).
    score_scale: Scale,
}

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

impl Head {
    /// Bytes of the space that a head works in.
    pub fn work_bytes(shape: &Shape, context: usize) -> u64 {
        let words = rounded(context) + value_width(shape.head_size) + shape.dim / shape.n_kv_heads;
        let operands = shape.head_size / 2 + SEGMENT / VALUE_GROUP;
        let own = words * size_of::<i32>() + operands * size_of::<Operand>() + size_of::<Self>();
        Cache::work_bytes(shape) + own as u64
    }

    /// With an empty cache for `context` positions.
    pub fn new(allocator: &mut Allocator, shape: &Shape, context: usize) -> Self {
        let head_size = shape.head_size;
        Self {
            cache: Cache::new(allocator, shape, context),
            query: allocator.zeroed(head_size / 2),
            scores: allocator.zeroed(rounded(context) / KEY_GROUP),
            weights: allocator.zeroed(SEGMENT / VALUE_GROUP),
            totals: allocator.zeroed(value_width(head_size)),
            out: allocator.zeroed(shape.dim / shape.n_kv_heads),
            head_size,
            query_bits: query_bits(head_size),
            segment_shift: segment_shift(context),
            score_scale: LOG2_E.mul(Scale::new(head_size as u64, 0).rsqrt()),
        }
    }

    /// What the last [`Head::attend`] gave, query head by query head.
    pub fn out(&self) -> &[i32] {
        &self.out
    }

    /// The attention of the query heads in `q`, over all positions in the cache.
    pub fn attend(&mut self, simd: Simd, weights: &Weights, slot: KvSlot, q: &[i32], fraction_bits: i32) {
        for (i, q) in q.chunks_exact(self.head_size).enumerate() {
            let scale = self.multiply_keys(simd, slot, q, fraction_bits);
            let groups = &mut self.scores[..slot.count.div_ceil(KEY_GROUP)];
            // Groups of keys are whole. What is behind the last position is not the largest, and weighs
            // nothing.
            let last = groups.as_flattened()[slot.count - 1];
            groups.as_flattened_mut()[slot.count..].fill(last);
            let max = scores(simd, groups, scale);
            distances(simd, groups, max);
            groups.as_flattened_mut()[slot.count..].fill(FARTHEST);
            self.mix(simd, weights, slot, i * self.head_size);
        }
    }

    /// `q · k` for all positions in the cache, and what they mean.
    #[optimize(speed)]
    #[inline(never)]
    #[cfg_attr(target_os = "none", unsafe(link_section = ".text.hot"))] // kernel/pc/program.ld
    fn multiply_keys(&mut self, simd: Simd, slot: KvSlot, q: &[i32], fraction_bits: i32) -> ScoreScale {
        let to_query = Shrink::new(q, self.query_bits);
        let mut firsts = 0;
        for (operand, q) in self.query.iter_mut().zip(q.as_chunks::<2>().0) {
            let (first, second) = (to_query.apply(q[0]), to_query.apply(q[1]));
            *operand = Operand::new(simd, first, second);
            firsts += first;
        }
        let groups = &mut self.scores[..slot.count.div_ceil(KEY_GROUP)];
        for (group, sums) in groups.iter_mut().enumerate() {
            *sums = columns(simd, self.cache.keys(slot.layer, group), &self.query, start(firsts));
        }
        let shift = (to_query.shift + self.cache.shifts(slot.layer).key) as i32;
        let Scale { mantissa, exponent } = self.score_scale;
        ScoreScale::new(Scale { mantissa, exponent: exponent + shift - 2 * fraction_bits })
    }

    /// `out[at..] = Σ weight · value / Σ weight`
    #[optimize(speed)]
    #[inline(never)]
    #[cfg_attr(target_os = "none", unsafe(link_section = ".text.hot"))] // kernel/pc/program.ld
    fn mix(&mut self, simd: Simd, weights: &Weights, slot: KvSlot, at: usize) {
        let end = slot.count.next_multiple_of(VALUE_GROUP);
        let Some(lookup) = weights.lookup() else { return };
        let mut sum = 0;
        self.totals.fill(0);
        for (segment, distances) in self.scores.as_flattened()[..end].chunks(SEGMENT).enumerate() {
            let mut firsts = 0;
            let pairs = distances.as_chunks::<VALUE_GROUP>().0;
            for (operand, &[first, second]) in self.weights.iter_mut().zip(pairs) {
                let (first, second) = (lookup.weight(first), lookup.weight(second));
                *operand = Operand::new(simd, first, second);
                firsts += first;
                sum += second;
            }
            sum += firsts;
            let weights = &self.weights[..pairs.len()];
            for (part, totals) in self.totals.as_chunks_mut::<COLUMNS>().0.iter_mut().enumerate() {
                let block = self.cache.values(slot.layer, segment * SEGMENT, part);
                let sums = columns(simd, block, weights, start(firsts));
                for (total, sum) in totals.iter_mut().zip(sums) {
                    *total += sum >> self.segment_shift;
                }
            }
        }
        // The weights' unit is in both sums.
        let unit = Scale::new(1, (self.segment_shift + self.cache.shifts(slot.layer).value) as i32);
        let factor = Factor::new(unit.div(Scale::new(sum as u64, 0)));
        for (out, &total) in self.out[at..][..self.head_size].iter_mut().zip(&self.totals) {
            *out = factor.apply(total);
        }
    }
}
