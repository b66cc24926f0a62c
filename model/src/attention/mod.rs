//! Attention over the key/value cache: `softmax(q @ kᵀ / √head_size) @ v`.
//!
//! Past the cache's end the window rolls: a new position takes the slot of the oldest but the first,
//! and the order in the cache does not matter, as RoPE sees only how far two positions are apart. The
//! first position stays, as a model rests its attention there when nothing else fits (Xiao et al.,
//! "Efficient Streaming Language Models with Attention Sinks"). Its key is rotated along, so that it is
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
pub use cache::KvCache;
use head::Softmax;

mod cache;
mod head;
#[cfg(test)]
mod tests;

/// The key/value cache, and what a position's attention needs beside it.
pub struct Attention<'m> {
    rope: Rope<'m>,
    cache: KvCache,
    /// The cosines and sines of the position that is read (head_size / 2).
    cos_sin: Vec<CosSin>,
    /// Those of the first position, where the window rolls (head_size / 2).
    first_cos_sin: Vec<CosSin>,
    softmax: Softmax,
}

/// Where in the model, in the story and in the cache.
#[derive(Clone, Copy)]
struct KvSlot {
    /// The layer.
    layer: usize,
    /// The position.
    pos: usize,
    /// Its slot in the cache.
    index: usize,
    /// Positions in the cache, this one included.
    count: usize,
}

/// A position's slot in a cache of `context` positions.
pub(crate) fn slot_of(pos: usize, context: usize) -> usize {
    if pos < context || context == 1 { pos.min(context - 1) } else { 1 + (pos - 1) % (context - 1) }
}

impl<'m> Attention<'m> {
    /// Bytes of what it needs beside the cache.
    pub fn bytes(shape: &Shape) -> u64 {
        (shape.head_size * size_of::<CosSin>() + Softmax::BYTES) as u64
    }

    /// Over an empty cache.
    pub(crate) fn new(allocator: &mut Allocator, rope: Rope<'m>, tables: &Tables, cache: KvCache) -> Self {
        Self {
            rope,
            cos_sin: allocator.zeroed(rope.pairs),
            first_cos_sin: allocator.zeroed(rope.pairs),
            softmax: Softmax::new(allocator, tables, 2 * rope.pairs, cache.context()),
            cache,
        }
    }

    /// Positions that the cache holds.
    pub fn context(&self) -> usize {
        self.cache.context()
    }

    /// One position's attention in one layer: \[q | k | v\] (q_dim + 2 kv_dim,) with `fraction_bits`, as
    /// [wq | wk | wv] gave it, to `out` (q_dim,) with as many. Queries and keys are rotated, keys and
    /// values go into the cache; only these where nobody wants an output.
    #[inline(never)] // a small frame: what is in it is reached by short instructions
    pub fn attend(
        &mut self,
        processors: Processors,
        layer: usize,
        pos: usize,
        qkv: &mut [i32],
        fraction_bits: i32,
        out: Option<&mut [i32]>,
    ) {
        let (context, kv_dim) = (self.context(), self.cache.kv_dim());
        let q_dim = qkv.len() - 2 * kv_dim;
        if layer == 0 {
            self.rope.cos_sin_at(pos, &mut self.cos_sin);
            self.rope.cos_sin_at((pos + 1).saturating_sub(context), &mut self.first_cos_sin);
        }
        rotate(&mut qkv[..q_dim + kv_dim], &self.cos_sin);
        let (q, kv) = qkv.split_at(q_dim);
        let (k, v) = kv.split_at(kv_dim);
        let slot = KvSlot { layer, pos, index: slot_of(pos, context), count: (pos + 1).min(context) };
        let (softmax, first_cos_sin, wanted) = (&self.softmax, &self.first_cos_sin, out.is_some());
        self.cache.work(processors, |i, mut head| {
            let at = i * head.head_size;
            let (k, v) = (&k[at..][..head.head_size], &v[at..][..head.head_size]);
            head.store(slot, k, v, first_cos_sin);
            if wanted {
                let group = q_dim * head.head_size / kv_dim;
                head.attend(processors.simd, softmax, slot, &q[i * group..][..group], fraction_bits);
            }
        });
        if let Some(out) = out {
            self.cache.read_out(out);
        }
    }
}
