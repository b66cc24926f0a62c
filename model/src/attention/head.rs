//! One key/value head: its part of the cache, and the attention of its query heads.
//!
//! Keys and values are kept as 12-bit integers with one scale for each layer, key/value head and
//! position. They lie so that a SIMD kernel needs no sums across a register:
//!
//! - keys: groups of 8 positions; in a group, for each pair of a head's values, the 8 positions'
//!   pairs. So `q · k` of 8 positions are 8 sums side by side.
//! - values: groups of 2 positions; in a group, for each value of a head, the 2 positions' values.
//!   So the weighted sums of neighbouring values are side by side.
use super::Place;
use super::products::{Block, Broadcast, COLUMNS, Pair, columns};
use crate::allocation::Allocator;
use crate::fixed::{Factor, LOG2_E, Requantizer, Scale, absmax};
use crate::matmul::Kernel;
use crate::shape::Shape;
use crate::tables::Tables;
use alloc::vec::Vec;

/// Largest magnitude of a cached key or value: 12 bits with the sign.
const CACHE_MAX: i32 = 2047;
/// Largest weight of a position: 15 bits.
const WEIGHT_MAX: i32 = 32767;
/// Positions in a group of keys.
const KEY_GROUP: usize = COLUMNS;
/// Positions in a group of values.
const VALUE_GROUP: usize = 2;
/// Positions whose weighted values are added before the sum is shifted.
const SEGMENT: usize = 32;
const _: () = assert!(SEGMENT as i64 * CACHE_MAX as i64 * WEIGHT_MAX as i64 <= i32::MAX as i64);
/// Fraction bits of scores, in powers of two.
const SCORE_BITS: i32 = 16;

/// The cache of a key/value head, in all layers, and the space its attention works in.
pub struct Head {
    /// Positions of the cache in each layer.
    positions: usize,
    head_size: usize,
    /// A position's values, with zeros up to whole vectors.
    value_width: usize,
    /// `[layer][position / 8][pair][position % 8]`
    keys: Vec<Pair>,
    /// `[layer][position / 2][value][position % 2]`
    values: Vec<Pair>,
    /// The magnitude that [`CACHE_MAX`] stands for, `[layer][position]`.
    key_max: Vec<i32>,
    value_max: Vec<i32>,
    query: Vec<Broadcast>,
    scores: Vec<i32>,
    /// The weights of a segment's positions.
    weights: Vec<Broadcast>,
    totals: Vec<i32>,
    /// The result, query head by query head.
    out: Vec<i32>,
    /// Largest magnitude of a query's integers.
    query_limit: i32,
    /// Shift of a segment of weighted values.
    segment_shift: u32,
    /// log2(e) / sqrt(head_size) / CACHE_MAX / query_limit.
    score_scale: Scale,
}

/// The largest magnitude of a query so that its product with a key fits i32.
const fn query_limit(head_size: usize) -> i32 {
    let limit = i32::MAX as i64 / (head_size as i64 * CACHE_MAX as i64);
    if limit < CACHE_MAX as i64 { limit as i32 } else { CACHE_MAX }
}
const _: () = assert!(query_limit(512) == CACHE_MAX && query_limit(crate::shape::MAX_LENGTH) >= 3);

/// The shift of each segment so that the total over `context` positions fits i32.
const fn segment_shift(context: usize) -> u32 {
    let total = context as i64 * CACHE_MAX as i64 * WEIGHT_MAX as i64;
    let mut shift = 8;
    while (total >> shift) + context as i64 > i32::MAX as i64 {
        shift += 1;
    }
    shift
}
const _: () = assert!(segment_shift(8192) == 8);

/// Positions of the cache for a context: groups of keys are whole.
const fn rounded(context: usize) -> usize {
    context.next_multiple_of(KEY_GROUP)
}

/// Values of a head in the cache.
const fn value_width(head_size: usize) -> usize {
    head_size.next_multiple_of(COLUMNS)
}

impl Head {
    /// Bytes of a head's cache in all layers.
    pub fn cache_bytes(shape: &Shape, context: usize) -> u64 {
        let head_size = shape.head_size();
        let bytes = 2 * (head_size + value_width(head_size)) + 2 * size_of::<i32>();
        shape.n_layers as u64 * rounded(context) as u64 * bytes as u64
    }

    /// Bytes of the space that a head works in.
    pub fn work_bytes(shape: &Shape, context: usize) -> u64 {
        let words = rounded(context) + value_width(shape.head_size()) + shape.dim / shape.n_kv_heads;
        let broadcasts = shape.head_size() / 2 + SEGMENT / VALUE_GROUP;
        (words * size_of::<i32>() + broadcasts * size_of::<Broadcast>() + size_of::<Self>()) as u64
    }

    /// An empty cache for `context` positions.
    pub fn new(allocator: &mut Allocator, shape: &Shape, context: usize) -> Self {
        let head_size = shape.head_size();
        let (positions, value_width) = (rounded(context), value_width(head_size));
        let all = shape.n_layers * positions;
        let query_limit = query_limit(head_size);
        let root = Scale::new(head_size as u64, 0).rsqrt();
        let limits = Scale::new(CACHE_MAX as u64 * query_limit as u64, 0);
        Self {
            positions,
            head_size,
            value_width,
            keys: allocator.zeroed(all * (head_size / 2)),
            values: allocator.zeroed(all / VALUE_GROUP * value_width),
            key_max: allocator.zeroed(all),
            value_max: allocator.zeroed(all),
            query: allocator.zeroed(head_size / 2),
            scores: allocator.zeroed(positions),
            weights: allocator.zeroed(SEGMENT / VALUE_GROUP),
            totals: allocator.zeroed(value_width),
            out: allocator.zeroed(shape.dim / shape.n_kv_heads),
            query_limit,
            segment_shift: segment_shift(context),
            score_scale: LOG2_E.mul(root).div(limits),
        }
    }

    /// What the last [`Head::attend`] gave, query head by query head.
    pub fn out(&self) -> &[i32] {
        &self.out
    }

    /// The attention of the query heads in `q`, over positions 0 to `place.pos`.
    #[optimize(speed)]
    pub fn attend(&mut self, kernel: Kernel, tables: &Tables, place: Place, q: &[i32], fraction_bits: i32) {
        for (i, q) in q.chunks_exact(self.head_size).enumerate() {
            let max = self.score(kernel, place, q, fraction_bits);
            let (sum, weight_max) = self.weigh(tables, place, max);
            self.mix(kernel, place, sum, weight_max, i * self.head_size);
        }
    }

    /// Puts a head's key and value into the cache.
    #[optimize(speed)]
    pub fn store(&mut self, Place { layer, pos }: Place, k: &[i32], v: &[i32]) {
        let first = layer * self.positions;
        let (k_max, v_max) = (absmax(k), absmax(v));
        self.key_max[first + pos] = k_max;
        self.value_max[first + pos] = v_max;
        let (to_key, to_value) = (Requantizer::new(k_max, CACHE_MAX), Requantizer::new(v_max, CACHE_MAX));
        let start = self.key_start(layer) + pos / KEY_GROUP * KEY_GROUP * k.len() / 2;
        let slots = self.keys[start..].chunks_exact_mut(KEY_GROUP);
        for (slots, k) in slots.zip(k.chunks_exact(2)) {
            slots[pos % KEY_GROUP] = [to_key.apply(k[0]) as i16, to_key.apply(k[1]) as i16];
        }
        let start = self.value_start(layer) + pos / VALUE_GROUP * self.value_width;
        for (pair, &v) in self.values[start..].iter_mut().zip(v) {
            pair[pos % VALUE_GROUP] = to_value.apply(v) as i16;
        }
    }

    /// Where a layer's keys start.
    fn key_start(&self, layer: usize) -> usize {
        layer * self.positions * self.query.len()
    }

    /// Where a layer's values start.
    fn value_start(&self, layer: usize) -> usize {
        layer * self.positions / VALUE_GROUP * self.value_width
    }

    /// Scores of positions 0 to pos, in Q16.16 powers of two; returns the largest.
    #[optimize(speed)]
    fn score(&mut self, kernel: Kernel, place: Place, q: &[i32], fraction_bits: i32) -> i32 {
        let Place { layer, pos } = place;
        let q_max = absmax(q);
        let to_query = Requantizer::new(q_max, self.query_limit);
        for (lanes, q) in self.query.iter_mut().zip(q.chunks_exact(2)) {
            *lanes = [[to_query.apply(q[0]) as i16, to_query.apply(q[1]) as i16]; 4];
        }
        // score = sum · key_max · q_max · 2^(-2 · fraction_bits) · score_scale
        let unit = Scale::new(q_max as u64, SCORE_BITS - 2 * fraction_bits).mul(self.score_scale);
        let shift = -(unit.exponent + 31);
        let keys = self.key_start(layer);
        let maxima = self.key_max[layer * self.positions..].chunks_exact(KEY_GROUP);
        let mut max = i32::MIN;
        let scores = self.scores[..pos + 1].chunks_mut(KEY_GROUP);
        for (group, (scores, maxima)) in scores.zip(maxima).enumerate() {
            let start = keys + group * KEY_GROUP * self.query.len();
            let block = Block { pairs: &self.keys, starts: [start, start + 4], stride: KEY_GROUP };
            let sums = columns(kernel, block, &self.query);
            for ((score, sum), &key_max) in scores.iter_mut().zip(sums).zip(maxima) {
                let mantissa = (key_max as u64 * u64::from(unit.mantissa)) >> 31;
                *score = Factor { mantissa: mantissa as u32, shift }.apply(sum);
                max = max.max(*score);
            }
        }
        max
    }

    /// Turns scores into weights, `2^(score - max) · value_max`. Returns the sum of the powers in
    /// Q2.30, and the largest weight in units of 2^-31.
    #[optimize(speed)]
    fn weigh(&mut self, tables: &Tables, Place { layer, pos }: Place, max: i32) -> (u64, i32) {
        let start = layer * self.positions;
        let (mut sum, mut weight_max) = (0, 0);
        for (score, &value_max) in self.scores[..pos + 1].iter_mut().zip(&self.value_max[start..]) {
            let power = tables.exp2_minus(max.wrapping_sub(*score) as u32);
            sum += u64::from(power);
            *score = ((u64::from(power) * value_max as u64) >> 31) as i32;
            weight_max = weight_max.max(*score);
        }
        (sum, weight_max)
    }

    /// `out[at..] = Σ weight · value / sum`.
    #[optimize(speed)]
    fn mix(&mut self, kernel: Kernel, place: Place, sum: u64, weight_max: i32, at: usize) {
        let Place { layer, pos } = place;
        let to_weight = Requantizer::new(weight_max, WEIGHT_MAX);
        self.totals.fill(0);
        let (start, width) = (self.value_start(layer), self.value_width);
        for (segment, scores) in self.scores[..pos + 1].chunks(SEGMENT).enumerate() {
            for (weights, scores) in self.weights.iter_mut().zip(scores.chunks(VALUE_GROUP)) {
                let first = to_weight.apply(scores[0]) as i16;
                let second = scores.get(1).map_or(0, |&score| to_weight.apply(score) as i16);
                *weights = [[first, second]; 4];
            }
            let weights = &self.weights[..scores.len().div_ceil(VALUE_GROUP)];
            let start = start + segment * SEGMENT / VALUE_GROUP * width;
            for (part, totals) in self.totals.chunks_exact_mut(COLUMNS).enumerate() {
                let start = start + part * COLUMNS;
                let block = Block { pairs: &self.values, starts: [start, start + 4], stride: width };
                let sums = columns(kernel, block, weights);
                for (total, sum) in totals.iter_mut().zip(sums) {
                    *total += sum >> self.segment_shift;
                }
            }
        }
        // weight = integer · weight_max / WEIGHT_MAX · 2^31 / sum; value = integer · max / CACHE_MAX
        let numerator = Scale::new(weight_max as u64, 31 + self.segment_shift as i32);
        let limits = Scale::new(CACHE_MAX as u64 * WEIGHT_MAX as u64, 0);
        let factor = Factor::new(numerator.div(limits.mul(Scale::new(sum, 0))));
        for (out, &total) in self.out[at..][..self.head_size].iter_mut().zip(&self.totals) {
            *out = factor.apply(total);
        }
    }
}
