//! Attention over the key/value cache: `softmax(q @ kᵀ / sqrt(head_size)) @ v`.
//!
//! Past the cache's end the window rolls: a new position takes the slot of the oldest but the first,
//! and the order in the cache does not matter, as RoPE sees only how far two positions are apart. The
//! first position stays, as a model rests its attention there when nothing else fits (Xiao et al.,
//! "Efficient Streaming Language Models with Attention Sinks"). Its key is turned along, so that it is
//! always just as far away as the window is long.
//!
//! Each key/value head has its own part of the cache and works on its own (`head`), so that
//! processors can share the heads.
use crate::allocation::Allocator;
use crate::rope::{CosSin, Rope, rotate};
use crate::shape::Shape;
use crate::tables::Tables;
use crate::workers::Processors;
use alloc::vec::Vec;
use cache::Cache;
use head::Head;
use softmax::Weights;

mod cache;
mod head;
mod products;
mod shrink;
mod softmax;

pub(crate) use products::sample as sample_of_products;

/// The key/value cache, head by head.
pub struct Attention {
    context: usize,
    /// The cosines and sines of the position that is read, and where the window rolls, of its first.
    cos_sin: Vec<CosSin>,
    first_cos_sin: Vec<CosSin>,
    heads: Vec<Head>,
    weights: Weights,
}

/// \[q | k | v\] of a position, as [wq | wk | wv] gave them.
pub struct Projected<'a> {
    /// The numbers.
    pub qkv: &'a mut [i32],
    /// Their fraction bits.
    pub fraction_bits: i32,
}

/// Where in the model, in the story and in the cache.
#[derive(Clone, Copy)]
pub struct KvSlot {
    /// The layer.
    pub layer: usize,
    /// The position.
    pub pos: usize,
    /// Its slot in the cache.
    index: usize,
    /// Positions in the cache, this one included.
    count: usize,
}

impl KvSlot {
    /// A position's slot in a cache of `context`.
    pub fn new(layer: usize, pos: usize, context: usize) -> Self {
        Self { layer, pos, index: slot_of(pos, context), count: (pos + 1).min(context) }
    }
}

/// A position's slot in a cache of `context` positions.
pub(crate) fn slot_of(pos: usize, context: usize) -> usize {
    if pos < context || context == 1 { pos.min(context - 1) } else { 1 + (pos - 1) % (context - 1) }
}

impl Attention {
    /// Bytes of the key/value cache for a context.
    pub fn cache_bytes(shape: &Shape, context: usize) -> u64 {
        shape.n_kv_heads as u64 * Cache::bytes(shape, context)
    }

    /// Bytes that the heads work in.
    pub fn work_bytes(shape: &Shape, context: usize) -> u64 {
        let cos_sin = shape.head_size * size_of::<CosSin>();
        shape.n_kv_heads as u64 * Head::work_bytes(shape, context) + (cos_sin + Weights::BYTES) as u64
    }

    /// An empty cache for `context` positions.
    pub(crate) fn new(allocator: &mut Allocator, shape: &Shape, tables: &Tables, context: usize) -> Self {
        let mut heads = allocator.room(shape.n_kv_heads);
        let room = heads.capacity().min(shape.n_kv_heads);
        heads.extend((0..room).map(|_| Head::new(allocator, shape, context)));
        let pairs = shape.head_size / 2;
        let (cos_sin, first_cos_sin) = (allocator.zeroed(pairs), allocator.zeroed(pairs));
        Self { context, cos_sin, first_cos_sin, heads, weights: Weights::new(allocator, tables) }
    }

    /// Positions that the cache holds.
    pub fn context(&self) -> usize {
        self.context
    }

    /// One position's attention in one layer. Queries and keys are turned by `rope`, keys and values
    /// go into the cache; `out` (dim,) has the fraction bits of `input`.
    pub fn attend(
        &mut self,
        processors: Processors,
        rope: &Rope,
        slot: KvSlot,
        input: Projected,
        out: &mut [i32],
    ) {
        let dim = out.len();
        let (turned, _) = input.qkv.split_at_mut(dim + (input.qkv.len() - dim) / 2);
        if slot.layer == 0 {
            rope.cos_sin_at(slot.pos, &mut self.cos_sin);
            rope.cos_sin_at((slot.pos + 1).saturating_sub(self.context), &mut self.first_cos_sin);
        }
        rotate(turned, &self.cos_sin);
        let (first_cos_sin, weights) = (&self.first_cos_sin, &self.weights);
        let (q, kv) = input.qkv.split_at(dim);
        let (k, v) = kv.split_at(kv.len() / 2);
        let (group, head_size) = (dim / self.heads.len(), k.len() / self.heads.len());
        processors.parallel_chunks(&mut self.heads, 1, |first, heads| {
            for (i, head) in (first..).zip(heads) {
                head.cache.store(slot, &k[i * head_size..][..head_size], &v[i * head_size..][..head_size]);
                if slot.pos >= slot.count {
                    head.cache.turn_first_key(slot.layer, first_cos_sin);
                }
                let queries = &q[i * group..][..group];
                head.attend(processors.simd, weights, slot, queries, input.fraction_bits);
            }
        });
        for (out, head) in out.chunks_mut(group).zip(&self.heads) {
            out.copy_from_slice(head.out());
        }
    }
}
