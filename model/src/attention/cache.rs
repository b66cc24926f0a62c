//! The key/value cache of one key/value head.
//!
//! Keys and values are 12-bit integers, shifted right so that they fit: `x = integer · 2^shift`, with
//! one shift for all keys of a layer and one for all its values. A larger one than all before it moves
//! the others down. So a score is a product and no more, and a weight is a weight.
//!
//! They lie so that a SIMD kernel needs no sums across a register:
//!
//! - keys: groups of 8 positions; in a group, for each pair of a head's values, the 8 positions'
//!   pairs. So `q · k` of 8 positions are 8 sums side by side.
//! - values: groups of 2 positions; in a group, for each value of a head, the 2 positions' values.
//!   So the weighted sums of neighbouring values are side by side.
use super::KvSlot;
use super::products::{Block, COLUMNS, Pair};
use super::shrink::Shrink;
use crate::allocation::Allocator;
use crate::rope::{CosSin, rotate};
use crate::shape::Shape;
use alloc::vec::Vec;

/// Bits of a cached key's or value's magnitude: 12 with the sign.
pub const CACHE_BITS: u32 = 11;
/// Positions in a group of keys.
pub const KEY_GROUP: usize = COLUMNS;
/// Positions in a group of values.
pub const VALUE_GROUP: usize = 2;

/// Keys and values of one head in all layers.
pub struct Cache {
    /// Positions in each layer.
    positions: usize,
    head_size: usize,
    /// A position's values, with zeros up to whole vectors.
    value_width: usize,
    /// `[layer][position / 8][pair][position % 8]`
    keys: Vec<Pair>,
    /// `[layer][position / 2][value][position % 2]`
    values: Vec<Pair>,
    /// `[layer]`
    shifts: Vec<Shifts>,
    /// The first position's keys, not turned, `[layer][value]`.
    first_keys: Vec<i32>,
    /// One of them, turned.
    turned_key: Vec<i32>,
}

/// How far a layer's keys and values were shifted right.
#[derive(Clone, Copy)]
pub struct Shifts {
    /// The keys.
    pub key: u32,
    /// The values.
    pub value: u32,
}

// SAFETY: all bytes zero are two shifts by nothing.
unsafe impl bytemuck::Zeroable for Shifts {}

/// Positions of the cache for a context: groups of keys are whole.
pub const fn rounded(context: usize) -> usize {
    context.next_multiple_of(KEY_GROUP)
}

/// Values of a head in the cache.
pub const fn value_width(head_size: usize) -> usize {
    head_size.next_multiple_of(COLUMNS)
}

impl Cache {
    /// Bytes of keys and values in all layers.
    pub fn bytes(shape: &Shape, context: usize) -> u64 {
        let head_size = shape.head_size;
        shape.n_layers as u64 * rounded(context) as u64 * 2 * (head_size + value_width(head_size)) as u64
    }

    /// Bytes of what stands beside them.
    pub fn work_bytes(shape: &Shape) -> u64 {
        let keys = 4 * (shape.n_layers + 1) * shape.head_size;
        (shape.n_layers * size_of::<Shifts>() + keys) as u64
    }

    /// An empty cache for `context` positions.
    pub fn new(allocator: &mut Allocator, shape: &Shape, context: usize) -> Self {
        let head_size = shape.head_size;
        let (positions, value_width) = (rounded(context), value_width(head_size));
        let all = shape.n_layers * positions;
        Self {
            positions,
            head_size,
            value_width,
            keys: allocator.zeroed(all * (head_size / 2)),
            values: allocator.zeroed(all / VALUE_GROUP * value_width),
            shifts: allocator.zeroed(shape.n_layers),
            first_keys: allocator.zeroed(shape.n_layers * head_size),
            turned_key: allocator.zeroed(head_size),
        }
    }

    /// Puts a head's key and value into the cache.
    pub fn store(&mut self, KvSlot { layer, pos, index: slot, .. }: KvSlot, k: &[i32], v: &[i32]) {
        if pos == 0 {
            self.first_keys[layer * self.head_size..][..self.head_size].copy_from_slice(k);
            self.shifts[layer] = Shifts { key: 0, value: 0 };
        }
        self.store_key(layer, slot, k);
        let needed = Shrink::new(v, CACHE_BITS);
        let values = &mut self.values[layer * self.positions / VALUE_GROUP * self.value_width..];
        let values = &mut values[..self.positions / VALUE_GROUP * self.value_width];
        let to_value = with_all(values, &mut self.shifts[layer].value, needed);
        let start = slot / VALUE_GROUP * self.value_width;
        for (pair, &v) in values[start..].iter_mut().zip(v) {
            pair.set(slot % VALUE_GROUP, to_value.apply(v));
        }
    }

    #[inline(never)] // called from two places
    fn store_key(&mut self, layer: usize, slot: usize, k: &[i32]) {
        let needed = Shrink::new(k, CACHE_BITS);
        let bytes = self.positions * self.head_size / 2;
        let keys = &mut self.keys[layer * bytes..][..bytes];
        let to_key = with_all(keys, &mut self.shifts[layer].key, needed);
        let start = slot / KEY_GROUP * KEY_GROUP * self.head_size / 2;
        for (slots, k) in keys[start..].chunks_exact_mut(KEY_GROUP).zip(k.chunks_exact(2)) {
            slots[slot % KEY_GROUP] = Pair::new(to_key.apply(k[0]), to_key.apply(k[1]));
        }
    }

    /// Stores the first position's key anew, turned.
    pub fn turn_first_key(&mut self, layer: usize, cos_sin: &[CosSin]) {
        let mut key = core::mem::take(&mut self.turned_key);
        key.copy_from_slice(&self.first_keys[layer * self.head_size..][..self.head_size]);
        rotate(&mut key, cos_sin);
        self.store_key(layer, 0, &key);
        self.turned_key = key;
    }

    /// How far a layer's keys and values were shifted.
    pub fn shifts(&self, layer: usize) -> Shifts {
        self.shifts[layer]
    }

    /// The keys of a group of positions.
    #[inline(always)]
    pub fn keys(&self, layer: usize, group: usize) -> Block<'_> {
        let first = (layer * self.positions + group * KEY_GROUP) * (self.head_size / 2);
        Block { pairs: &self.keys, starts: [first, first + 4], stride: KEY_GROUP }
    }

    /// [`COLUMNS`] of the values from position `start` on.
    #[inline(always)]
    pub fn values(&self, layer: usize, start: usize, part: usize) -> Block<'_> {
        let first = (layer * self.positions + start) / VALUE_GROUP * self.value_width + part * COLUMNS;
        Block { pairs: &self.values, starts: [first, first + 4], stride: self.value_width }
    }
}

/// The shift for one more vector beside all others, which are `shift`ed: the larger one, to which the
/// others move.
fn with_all(others: &mut [Pair], shift: &mut u32, needed: Shrink) -> Shrink {
    if needed.shift > *shift {
        move_down(others, needed.shift - *shift);
        *shift = needed.shift;
    }
    Shrink { shift: *shift }
}

/// Shifts all pairs right. Rare: as often as a story has a larger number than all before it.
#[cold]
#[inline(never)]
fn move_down(pairs: &mut [Pair], by: u32) {
    let shrink = Shrink { shift: by.min(i32::BITS - 1) };
    for pair in pairs {
        let [first, second] = pair.numbers();
        *pair = Pair::new(shrink.apply(first), shrink.apply(second));
    }
}
