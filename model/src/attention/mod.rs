//! Attention over the key/value cache: `softmax(q @ kᵀ / sqrt(head_size)) @ v`.
//!
//! Past the cache's end the window rolls: a new position takes the place of the oldest but the first,
//! and the order in the cache does not matter, as RoPE sees only how far two positions are apart. The
//! first position stays, as a model rests its attention there when nothing else fits (Xiao et al.,
//! "Efficient Streaming Language Models with Attention Sinks"). Its key is turned along, so that it is
//! always just as far away as the window is long.
//!
//! Each key/value head has its own part of the cache and works on its own (`head`), so that
//! processors can share the heads.
use crate::allocation::Allocator;
use crate::rope::{Rope, Turn, rotate};
use crate::shape::Shape;
use crate::tables::Tables;
use crate::team::Processors;
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
    /// The turns of the position that is read, and where the window rolls, of its first.
    turns: Vec<Turn>,
    first_turns: Vec<Turn>,
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
pub struct Place {
    /// The layer.
    pub layer: usize,
    /// The position.
    pub pos: usize,
    /// Its place in the cache.
    slot: usize,
    /// Positions in the cache, this one included.
    count: usize,
}

impl Place {
    /// A position's place in a cache of `context`.
    pub fn new(layer: usize, pos: usize, context: usize) -> Self {
        Self { layer, pos, slot: slot(pos, context), count: (pos + 1).min(context) }
    }
}

/// A position's place in a cache of `context` positions.
pub(crate) fn slot(pos: usize, context: usize) -> usize {
    if pos < context || context == 1 { pos.min(context - 1) } else { 1 + (pos - 1) % (context - 1) }
}

impl Attention {
    /// Bytes of the key/value cache for a context.
    pub fn cache_bytes(shape: &Shape, context: usize) -> u64 {
        shape.n_kv_heads as u64 * Cache::bytes(shape, context)
    }

    /// Bytes that the heads work in.
    pub fn work_bytes(shape: &Shape, context: usize) -> u64 {
        let turns = shape.head_size() * size_of::<Turn>();
        shape.n_kv_heads as u64 * Head::work_bytes(shape, context) + (turns + Weights::BYTES) as u64
    }

    /// An empty cache for `context` positions.
    pub(crate) fn new(allocator: &mut Allocator, shape: &Shape, tables: &Tables, context: usize) -> Self {
        let mut heads = allocator.room(shape.n_kv_heads);
        let room = heads.capacity().min(shape.n_kv_heads);
        heads.extend((0..room).map(|_| Head::new(allocator, shape, context)));
        let pairs = shape.head_size() / 2;
        let (turns, first_turns) = (allocator.zeroed(pairs), allocator.zeroed(pairs));
        Self { context, turns, first_turns, heads, weights: Weights::new(allocator, tables) }
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
        place: Place,
        input: Projected,
        out: &mut [i32],
    ) {
        let dim = out.len();
        let (turned, _) = input.qkv.split_at_mut(dim + (input.qkv.len() - dim) / 2);
        if place.layer == 0 {
            rope.turns_at(place.pos, &mut self.turns);
            rope.turns_at((place.pos + 1).saturating_sub(self.context), &mut self.first_turns);
        }
        rotate(turned, &self.turns);
        let (first_turns, weights) = (&self.first_turns, &self.weights);
        let (q, kv) = input.qkv.split_at(dim);
        let (k, v) = kv.split_at(kv.len() / 2);
        let (group, head_size) = (dim / self.heads.len(), k.len() / self.heads.len());
        processors.share_out(&mut self.heads, 1, |first, heads| {
            for (i, head) in (first..).zip(heads) {
                head.cache.store(place, &k[i * head_size..][..head_size], &v[i * head_size..][..head_size]);
                if place.pos >= place.count {
                    head.cache.turn_first_key(place.layer, first_turns);
                }
                let queries = &q[i * group..][..group];
                head.attend(processors.kernel, weights, place, queries, input.fraction_bits);
            }
        });
        for (out, head) in out.chunks_mut(group).zip(&self.heads) {
            out.copy_from_slice(head.out());
        }
    }
}
