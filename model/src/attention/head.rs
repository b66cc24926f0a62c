//! One key/value head: its part of the cache, and the attention of its query heads.
//!
//! Keys and values are kept as 12-bit integers, shifted right so that they fit: `x = integer · 2^shift`
//! with one shift for each layer, key/value head and position. Powers of two, because a key's shift is
//! then one of its score, and a value's is added to its score's exponent: the weight of a position,
//! `2^(score - max) · 2^shift`, is one table lookup.
//!
//! They lie so that a SIMD kernel needs no sums across a register:
//!
//! - keys: groups of 8 positions; in a group, for each pair of a head's values, the 8 positions'
//!   pairs. So `q · k` of 8 positions are 8 sums side by side.
//! - values: groups of 2 positions; in a group, for each value of a head, the 2 positions' values.
//!   So the weighted sums of neighbouring values are side by side.
use super::Place;
use super::products::{Block, COLUMNS, Operand, Pair, columns, start};
use crate::allocation::Allocator;
use crate::fixed::{Factor, LOG2_E, Scale, absmax};
use crate::matmul::Kernel;
use crate::rope::{Turn, rotate};
use crate::shape::Shape;
use crate::tables::{EXP2_ENTRIES, EXP2_POINT_BITS, TABLE_BITS, Tables, X_BITS};
use alloc::vec::Vec;

/// Bits of a cached key's or value's magnitude: 12 with the sign.
const CACHE_BITS: u32 = 11;
/// Bits of a query's magnitude at most. Rounding may bring it to 2^14, which 16 bits hold.
const QUERY_BITS: u32 = 14;
/// The largest weight of a position is 2^14.
const WEIGHT_BITS: u32 = 14;
/// Positions in a group of keys.
const KEY_GROUP: usize = COLUMNS;
/// Positions in a group of values.
const VALUE_GROUP: usize = 2;
/// Positions whose weighted values are added before the sum is shifted.
const SEGMENT: usize = 32;
const _: () = assert!(SEGMENT.ilog2() + CACHE_BITS + WEIGHT_BITS < 31);
/// Bits of a score's magnitude.
const SCORE_BITS: i32 = 29;
/// From this distance on, in Q16.16 powers of two, nothing is left of a weight.
const FARTHEST: i32 = (TABLE_BITS as i32 + 1) << X_BITS;

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
    /// `[layer][position]`
    shifts: Vec<Shifts>,
    /// The largest key's and the smallest value's in each layer.
    limits: Vec<Shifts>,
    /// The first position's keys, not turned, `[layer][value]`.
    first_keys: Vec<i32>,
    /// One of them, turned.
    turned_key: Vec<i32>,
    query: Vec<Operand>,
    /// Exponents of the weights, in Q16.16; then the weights.
    exponents: Vec<i32>,
    /// The weights of a segment's positions.
    weights: Vec<Operand>,
    totals: Vec<i32>,
    /// The result, query head by query head.
    out: Vec<i32>,
    /// Bits of a query's magnitude.
    query_bits: u32,
    /// Shift of a segment of weighted values.
    segment_shift: u32,
    /// log2(e) / sqrt(head_size).
    score_scale: Scale,
}

/// How far a position's key and value were shifted right.
#[derive(Clone, Copy)]
struct Shifts {
    key: u8,
    value: u8,
}

// SAFETY: all bytes zero are two shifts by nothing.
unsafe impl bytemuck::Zeroable for Shifts {}

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

/// Positions of the cache for a context: groups of keys are whole.
const fn rounded(context: usize) -> usize {
    context.next_multiple_of(KEY_GROUP)
}

/// Values of a head in the cache.
const fn value_width(head_size: usize) -> usize {
    head_size.next_multiple_of(COLUMNS)
}

/// Makes numbers fit a number of bits by a shift to the right, rounded to the nearest. At the largest
/// magnitude that may give the next power of two.
#[derive(Clone, Copy)]
struct Shrink {
    /// At least 1.
    shift: u32,
}

impl Shrink {
    /// For numbers like these.
    #[inline(never)] // called from three places
    fn new(values: &[i32], bits: u32) -> Self {
        let excess = u32::BITS - absmax(values).leading_zeros();
        Self { shift: excess.saturating_sub(bits).max(1) }
    }

    #[inline(always)]
    fn apply(self, x: i32) -> i32 {
        ((x >> (self.shift - 1)) + 1) >> 1
    }
}

/// `scores · 2^shift`, limited: for models whose scores are so large that only one position counts.
#[cold]
#[inline(never)]
fn shift_left(scores: &mut [i32], shift: i32) {
    let limit = (1 << SCORE_BITS) >> shift;
    scores.iter_mut().for_each(|score| *score = (*score).clamp(-limit, limit) << shift);
}

impl Head {
    /// Bytes of a head's cache in all layers.
    pub fn cache_bytes(shape: &Shape, context: usize) -> u64 {
        let head_size = shape.head_size();
        let bytes = 2 * (head_size + value_width(head_size)) + size_of::<Shifts>();
        shape.n_layers as u64 * rounded(context) as u64 * bytes as u64
    }

    /// Bytes of the space that a head works in.
    pub fn work_bytes(shape: &Shape, context: usize) -> u64 {
        let words = rounded(context) + value_width(shape.head_size()) + shape.dim / shape.n_kv_heads;
        let operands = shape.head_size() / 2 + SEGMENT / VALUE_GROUP;
        let limits = shape.n_layers * size_of::<Shifts>() + 4 * (shape.n_layers + 1) * shape.head_size();
        (words * size_of::<i32>() + operands * size_of::<Operand>() + limits + size_of::<Self>()) as u64
    }

    /// An empty cache for `context` positions.
    pub fn new(allocator: &mut Allocator, shape: &Shape, context: usize) -> Self {
        let head_size = shape.head_size();
        let (positions, value_width) = (rounded(context), value_width(head_size));
        let all = shape.n_layers * positions;
        Self {
            positions,
            head_size,
            value_width,
            keys: allocator.zeroed(all * (head_size / 2)),
            values: allocator.zeroed(all / VALUE_GROUP * value_width),
            shifts: allocator.zeroed(all),
            limits: allocator.zeroed(shape.n_layers),
            turned_key: allocator.zeroed(head_size),
            first_keys: allocator.zeroed(shape.n_layers * head_size),
            query: allocator.zeroed(head_size / 2),
            exponents: allocator.zeroed(positions),
            weights: allocator.zeroed(SEGMENT / VALUE_GROUP),
            totals: allocator.zeroed(value_width),
            out: allocator.zeroed(shape.dim / shape.n_kv_heads),
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
    pub fn attend(&mut self, kernel: Kernel, tables: &Tables, place: Place, q: &[i32], fraction_bits: i32) {
        for (i, q) in q.chunks_exact(self.head_size).enumerate() {
            let max = self.score(kernel, place, q, fraction_bits);
            self.mix(kernel, tables, place, max, i * self.head_size);
        }
    }

    /// Puts a head's key and value into the cache.
    pub fn store(&mut self, Place { layer, pos, slot, .. }: Place, k: &[i32], v: &[i32]) {
        if pos == 0 {
            self.first_keys[layer * k.len()..][..k.len()].copy_from_slice(k);
            self.limits[layer] = Shifts { key: 0, value: u8::MAX };
        }
        self.store_key(layer, slot, k);
        let to_value = Shrink::new(v, CACHE_BITS);
        let shift = to_value.shift as u8;
        self.shifts[layer * self.positions + slot].value = shift;
        let least = &mut self.limits[layer].value;
        *least = (*least).min(shift);
        let start = self.value_start(layer) + slot / VALUE_GROUP * self.value_width;
        for (pair, &v) in self.values[start..].iter_mut().zip(v) {
            pair.set(slot % VALUE_GROUP, to_value.apply(v));
        }
    }

    #[inline(never)] // called from two places
    fn store_key(&mut self, layer: usize, slot: usize, k: &[i32]) {
        let to_key = Shrink::new(k, CACHE_BITS);
        let shift = to_key.shift as u8;
        self.shifts[layer * self.positions + slot].key = shift;
        let most = &mut self.limits[layer].key;
        *most = (*most).max(shift);
        let start = self.key_start(layer) + slot / KEY_GROUP * KEY_GROUP * k.len() / 2;
        let slots = self.keys[start..].chunks_exact_mut(KEY_GROUP);
        for (slots, k) in slots.zip(k.chunks_exact(2)) {
            slots[slot % KEY_GROUP] = Pair::new(to_key.apply(k[0]), to_key.apply(k[1]));
        }
    }

    /// Stores the first position's key anew, turned.
    pub fn turn_first_key(&mut self, layer: usize, turns: &[Turn]) {
        let mut key = core::mem::take(&mut self.turned_key);
        key.copy_from_slice(&self.first_keys[layer * self.head_size..][..self.head_size]);
        rotate(&mut key, turns);
        self.store_key(layer, 0, &key);
        self.turned_key = key;
    }

    /// Where a layer's keys start.
    fn key_start(&self, layer: usize) -> usize {
        layer * self.positions * self.query.len()
    }

    /// Where a layer's values start.
    fn value_start(&self, layer: usize) -> usize {
        layer * self.positions / VALUE_GROUP * self.value_width
    }

    /// The exponents of all positions in the cache, score plus value's shift, in Q16.16; returns the largest.
    #[optimize(speed)]
    #[inline(never)]
    #[cfg_attr(target_os = "none", unsafe(link_section = ".text.hot"))] // kernel/link.ld
    fn score(&mut self, kernel: Kernel, place: Place, q: &[i32], fraction_bits: i32) -> i32 {
        let Place { layer, count, .. } = place;
        let to_query = Shrink::new(q, self.query_bits);
        let mut firsts = 0;
        for (operand, q) in self.query.iter_mut().zip(q.chunks_exact(2)) {
            let (first, second) = (to_query.apply(q[0]), to_query.apply(q[1]));
            *operand = Operand::new(kernel, first, second);
            firsts += first;
        }
        // score = sum · 2^(query's shift + key's shift - 2 · fraction_bits) · score_scale, in Q16.16. The
        // product's upper half takes 32 off; the rest is a shift to the right, less the key's.
        let Scale { mut mantissa, exponent } = self.score_scale;
        let mut base = 2 * fraction_bits - exponent - to_query.shift as i32 - X_BITS as i32 - 32;
        let excess = (base - 31).max(0);
        mantissa = mantissa.wrapping_shr(excess as u32) & -i32::from(excess < 32) as u32;
        base -= excess;
        // Scores beyond 2^13 powers of two: the shift goes to the left.
        let left = (i32::from(self.limits[layer].key) - base).max(0);
        base += left;

        let keys = self.key_start(layer);
        let shifts = self.shifts[layer * self.positions..].chunks_exact(KEY_GROUP);
        let mut max = -(1 << (SCORE_BITS + 1));
        let groups = self.exponents[..count].chunks_mut(KEY_GROUP).zip(shifts);
        for (group, (exponents, shifts)) in groups.enumerate() {
            let first = keys + group * KEY_GROUP * self.query.len();
            let block = Block { pairs: &self.keys, starts: [first, first + 4], stride: KEY_GROUP };
            let mut sums = columns(kernel, block, &self.query, start(firsts));
            for sum in &mut sums {
                *sum = ((i64::from(*sum) * i64::from(mantissa)) >> 32) as i32;
            }
            if left > 0 {
                shift_left(&mut sums, left.min(31));
            }
            for ((exponent, score), shifts) in exponents.iter_mut().zip(sums).zip(shifts) {
                let score = score >> (base as u32).wrapping_sub(shifts.key.into()).min(31);
                *exponent = score + (i32::from(shifts.value) << X_BITS);
                let less = max - *exponent;
                max -= less & (less >> 31);
            }
        }
        max
    }

    /// `out[at..] = Σ weight · value / Σ power`, with `weight = 2^(exponent - max)` and
    /// `power = weight / 2^(value's shift)`.
    #[optimize(speed)]
    #[inline(never)]
    fn mix(&mut self, kernel: Kernel, tables: &Tables, place: Place, max: i32, at: usize) {
        let Place { layer, count, .. } = place;
        let Some(table) = tables.exp2.first_chunk::<EXP2_ENTRIES>() else { return };
        let (start_of_values, width) = (self.value_start(layer), self.value_width);
        let shifts = &self.shifts[layer * self.positions..];
        let least_shift = self.limits[layer].value;
        let end = count.next_multiple_of(VALUE_GROUP);
        self.exponents[count..end].fill(max - FARTHEST);
        let mut powers = 0;
        // 2^(exponent - max) in Q2.30
        let mut weight = |exponent: i32, shifts: Shifts| {
            let far = max - exponent;
            let beyond = (FARTHEST - far) >> 31;
            let far = (far & !beyond | FARTHEST & beyond) as u32;
            const POINT: u32 = X_BITS - EXP2_POINT_BITS;
            let nearest = ((far & ((1 << X_BITS) - 1)) + (1 << (POINT - 1))) >> POINT;
            let weight = table[nearest as usize].wrapping_shr(far >> X_BITS);
            powers += u64::from(weight.wrapping_shr(u32::from(shifts.value.wrapping_sub(least_shift))));
            (weight >> (TABLE_BITS - WEIGHT_BITS)) as i32
        };
        self.totals.fill(0);
        for (exponent, &shifts) in self.exponents[..end].iter_mut().zip(shifts) {
            *exponent = weight(*exponent, shifts);
        }
        for (segment, weights) in self.exponents[..end].chunks(SEGMENT).enumerate() {
            let mut firsts = 0;
            let pairs = weights.as_chunks::<VALUE_GROUP>().0;
            for (operand, &[first, second]) in self.weights.iter_mut().zip(pairs) {
                *operand = Operand::new(kernel, first, second);
                firsts += first;
            }
            let weights = &self.weights[..pairs.len()];
            let first = start_of_values + segment * SEGMENT / VALUE_GROUP * width;
            for (part, totals) in self.totals.chunks_exact_mut(COLUMNS).enumerate() {
                let first = first + part * COLUMNS;
                let block = Block { pairs: &self.values, starts: [first, first + 4], stride: width };
                let sums = columns(kernel, block, weights, start(firsts));
                for (total, sum) in totals.iter_mut().zip(sums) {
                    *total += sum >> self.segment_shift;
                }
            }
        }
        // weight = integer · 2^-14, power = integer · 2^-30 · 2^-least shift
        let unit = self.segment_shift + (TABLE_BITS - WEIGHT_BITS) + u32::from(least_shift);
        let factor = Factor::new(Scale::new(1, unit as i32).div(Scale::new(powers, 0)));
        for (out, &total) in self.out[at..][..self.head_size].iter_mut().zip(&self.totals) {
            *out = factor.apply(total);
        }
    }
}
