//! The key/value cache: one piece of memory, a part for each key/value head with what it works in.
//!
//! Keys and values are 12-bit integers, shifted right so that they fit: `x = integer · 2^shift`, rounded to
//! the nearest, with one shift for all keys of a layer and one for all its values. A larger one than all
//! before it moves the others down. So a score is a product and no more, and a weight is a weight.
//!
//! They lie so that SIMD needs no sums across a register ([`Simd::columns`](crate::simd::Simd::columns)):
//!
//! - keys: groups of 8 positions; in a group, for each pair of a head's values, the 8 positions' pairs. So
//!   `q · k` of 8 positions are 8 sums side by side.
//! - values: groups of 2 positions; in a group, for each value of a head, the 2 positions' values. So the
//!   weighted sums of neighbouring values are side by side.
use super::KvSlot;
use crate::allocation::{OutOfMemory, zeroed};
use crate::fixed::{magnitude_bits, shift_nearest};
use crate::rope::{CosSin, rotate};
use crate::shape::Shape;
use crate::simd::{CACHED_ZERO, COLUMNS, Operand, Pair};
use crate::workers::Processors;
use alloc::vec::Vec;
use bytemuck::{cast_slice, cast_slice_mut};

/// Bits of a cached number's magnitude: 12 with the sign. Rounding may bring it to 2^11.
pub const CACHE_BITS: u32 = CACHED_ZERO.ilog2();
/// Positions in a group of keys.
pub const KEY_GROUP: usize = COLUMNS;
/// Positions in a group of values.
pub const VALUE_GROUP: usize = 2;
/// Positions whose weighted values are added before the sum is shifted.
pub const SEGMENT: usize = 32;

/// The cache of all key/value heads.
pub struct KvCache {
    context: usize,
    head_size: usize,
    /// The lengths of [`Head`]'s buffers, in its order and in operands.
    buffers: [usize; 8],
    /// (n_kv_heads, the sum of `buffers`)
    memory: Vec<Operand>,
}

/// A key/value head: its part of the cache, and what its attention works in. `positions` is the context up
/// to whole groups of keys, `width` the head size up to whole columns.
pub struct Head<'c> {
    /// Values in a query, key or value.
    pub head_size: usize,
    /// The outputs of the query heads that share it (query heads, head_size).
    pub out: &'c mut [i32],
    /// (n_layers, positions / 8, head_size / 2, 8)
    pub keys: &'c mut [Pair],
    /// (n_layers, positions / 2, width)
    pub values: &'c mut [Pair],
    /// The first position's keys, not rotated (n_layers, head_size).
    first_keys: &'c mut [i32],
    /// How far keys and values are shifted right (n_layers; key, value and nothing else).
    pub shifts: &'c mut [[u32; 4]],
    /// What pairs are multiplied by: a query (head_size / 2), then a segment's weights (16).
    pub operands: &'c mut [Operand],
    /// The scores of all positions, then their distances from the largest (positions / 8, 8).
    pub scores: &'c mut [[i32; 8]],
    /// The sums of weighted values (width / 8, 8).
    pub totals: &'c mut [[i32; 8]],
}

/// The lengths of [`Head`]'s buffers, in its order and in operands: four numbers or pairs each.
fn buffers(shape: &Shape, context: usize) -> [u64; 8] {
    let group = shape.q_dim() / shape.n_kv_heads;
    let width = shape.head_size.next_multiple_of(COLUMNS);
    let groups = context.div_ceil(KEY_GROUP);
    let of_all_layers = |length: usize| shape.n_layers as u64 * length as u64;
    [
        group.div_ceil(4) as u64,                                // out
        of_all_layers(groups) * shape.head_size as u64,          // keys
        of_all_layers(groups) * width as u64,                    // values
        of_all_layers(width / 4),                                // first_keys
        of_all_layers(1),                                        // shifts
        (shape.head_size / 2).max(SEGMENT / VALUE_GROUP) as u64, // operands
        2 * groups as u64,                                       // scores
        (width / 4) as u64,                                      // totals
    ]
}

impl KvCache {
    /// Bytes of its memory.
    pub fn bytes(shape: &Shape, context: usize) -> u64 {
        let operands: u64 = buffers(shape, context).iter().sum();
        shape.n_kv_heads as u64 * size_of::<Operand>() as u64 * operands
    }

    /// An empty cache for `context` positions, from 1 to the shape's `seq_len`.
    ///
    /// # Errors
    /// There is not enough memory.
    pub fn new(shape: &Shape, context: usize) -> Result<Self, OutOfMemory> {
        assert!(context != 0 && context <= shape.seq_len, "a context that the model has");
        let operands = Self::bytes(shape, context) / size_of::<Operand>() as u64;
        // A length that 32 bits do not hold is refused as memory that is not there.
        let memory = zeroed(usize::try_from(operands).unwrap_or(usize::MAX))?;
        let buffers = buffers(shape, context).map(|length| length as usize);
        Ok(Self { context, head_size: shape.head_size, buffers, memory })
    }

    /// Positions that it holds.
    pub fn context(&self) -> usize {
        self.context
    }

    /// Values of all heads' keys at a position.
    pub fn kv_dim(&self) -> usize {
        self.memory.len() / self.buffers.iter().sum::<usize>() * self.head_size
    }

    /// Calls `work` with each head's number and the head, on several processors at once.
    pub fn work(&mut self, processors: Processors, work: impl Fn(usize, Head) + Sync) {
        let (head_size, buffers, length) = (self.head_size, &self.buffers, self.buffers.iter().sum());
        processors.parallel_chunks(&mut self.memory, length, 1, |first, memory| {
            for (i, memory) in (first..).zip(memory.chunks_exact_mut(length)) {
                work(i, Head::of(head_size, buffers, memory));
            }
        });
    }

    /// The outputs of all heads, one after the other, go into `out` (q_dim,).
    pub fn read_out(&self, out: &mut [i32]) {
        let length = self.buffers.iter().sum();
        let group = out.len() * length / self.memory.len();
        for (out, memory) in out.chunks_exact_mut(group).zip(self.memory.chunks_exact(length)) {
            out.copy_from_slice(&cast_slice(memory)[..group]);
        }
    }
}

impl<'c> Head<'c> {
    fn of(head_size: usize, buffers: &[usize; 8], mut memory: &'c mut [Operand]) -> Self {
        let mut next = |i: usize| memory.split_off_mut(..buffers[i]).expect("as long as all buffers");
        Self {
            head_size,
            out: cast_slice_mut(next(0)),
            keys: cast_slice_mut(next(1)),
            values: cast_slice_mut(next(2)),
            first_keys: cast_slice_mut(next(3)),
            shifts: cast_slice_mut(next(4)),
            operands: next(5),
            scores: cast_slice_mut(next(6)),
            totals: cast_slice_mut(next(7)),
        }
    }

    /// Pairs of a layer's keys.
    #[inline(always)]
    pub fn layer_of_keys(&self) -> usize {
        self.scores.len() * KEY_GROUP * self.head_size / 2
    }

    /// Pairs of a layer's values.
    #[inline(always)]
    pub fn layer_of_values(&self) -> usize {
        self.scores.len() * KEY_GROUP / VALUE_GROUP * self.width()
    }

    /// Pairs from one group of positions' values to the next.
    #[inline(always)]
    pub fn width(&self) -> usize {
        self.totals.len() * COLUMNS
    }

    /// Puts a position's key and value (head_size,) into the cache. Past its end the first position's key
    /// is stored anew, rotated by `first_cos_sin`.
    #[inline(never)] // a small frame: what is in it is reached by short instructions
    pub(super) fn store(&mut self, slot: KvSlot, k: &[i32], v: &[i32], first_cos_sin: &[CosSin]) {
        let KvSlot { layer, pos, index, count } = slot;
        let first_key = layer * self.head_size..(layer + 1) * self.head_size;
        if pos == 0 {
            self.first_keys[first_key.clone()].copy_from_slice(k);
            self.shifts[layer] = [0; 4];
        }
        self.store_key(layer, index, k);
        let (length, width) = (self.layer_of_values(), self.width());
        let values = &mut self.values[layer * length..][..length];
        let shift = with_all(values, &mut self.shifts[layer][1], v);
        for (pair, &v) in values[index / VALUE_GROUP * width..].iter_mut().zip(v) {
            pair[index % VALUE_GROUP] = cached(v, shift);
        }
        if pos >= count {
            let totals = core::mem::take(&mut self.totals);
            let key = &mut totals.as_flattened_mut()[..self.head_size];
            key.copy_from_slice(&self.first_keys[first_key]);
            rotate(key, first_cos_sin);
            self.store_key(layer, 0, key);
            self.totals = totals;
        }
    }

    #[inline(never)] // called from two places
    fn store_key(&mut self, layer: usize, index: usize, k: &[i32]) {
        let length = self.layer_of_keys();
        let keys = &mut self.keys[layer * length..][..length];
        let shift = with_all(keys, &mut self.shifts[layer][0], k);
        let group = &mut keys[index / KEY_GROUP * KEY_GROUP * self.head_size / 2..];
        for (pairs, k) in group.chunks_exact_mut(KEY_GROUP).zip(k.as_chunks().0) {
            pairs[index % KEY_GROUP] = k.map(|k: i32| cached(k, shift));
        }
    }
}

/// `x / 2^shift`, as the cache holds it.
#[inline(always)]
fn cached(x: i32, shift: u32) -> u16 {
    (shift_nearest(x, shift) + CACHED_ZERO) as u16
}

/// The shift for x beside all others, which are shifted already: where x needs a larger one, the others
/// move.
fn with_all(others: &mut [Pair], shift: &mut u32, x: &[i32]) -> u32 {
    let needed = magnitude_bits(x).saturating_sub(CACHE_BITS).max(1);
    if needed > *shift {
        move_down(others, (needed - *shift).min(i32::BITS - 1));
        *shift = needed;
    }
    *shift
}

/// Shifts all numbers right. Rare: as often as a story has a larger one than all before it.
#[cold]
#[inline(never)]
fn move_down(pairs: &mut [Pair], by: u32) {
    for number in pairs.as_flattened_mut() {
        *number = cached(i32::from(*number) - CACHED_ZERO, by);
    }
}
