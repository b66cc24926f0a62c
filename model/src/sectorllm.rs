//! The 1356-byte mode: the arithmetic of sectorllm's 1356-byte build, bit for bit.
//!
//! sectorllm (rdmsr, public domain) runs stories260K from a handful of disk sectors: int8 weights
//! with one scale for each kind of matrix, Q16.16 activations that are never rounded to fewer bits,
//! tables for exp and SiLU without lines between their points, an int8 key/value cache with one
//! scale a token. Additions and products wrap at 32 bits; `>>` rounds down.
use crate::allocation::Allocator;
use crate::attention::slot_of;
use crate::engine::{Engine, EngineError, EngineKind};
use crate::rope::{CosSin, Rope};
use crate::shape::Shape;
use alloc::vec::Vec;

const DIM: usize = Shape::STORIES260K.dim;
const HIDDEN: usize = Shape::STORIES260K.hidden_dim;
const LAYERS: usize = Shape::STORIES260K.n_layers;
const VOCAB: usize = Shape::STORIES260K.vocab_size;
const SEQ: usize = Shape::STORIES260K.seq_len;
const HEAD: usize = Shape::STORIES260K.head_size;
const KV_DIM: usize = Shape::STORIES260K.kv_dim();
const QKV: usize = Shape::STORIES260K.qkv_dim();
/// Query heads to a key/value head.
const GROUP: usize = Shape::STORIES260K.n_heads / Shape::STORIES260K.n_kv_heads;

/// Steps of the exp table: `exp(-i / 64)`.
pub const EXP_ENTRIES: usize = 512;
/// Steps of the SiLU table: `silu(i / 64 - 8)`.
pub const SILU_ENTRIES: usize = 1024;
/// From Q16.16 to steps of 1/64.
const STEP_SHIFT: u32 = 10;
/// 1 / sqrt(8) in Q16.16, for heads of 8 values.
const ROOT_OF_HEAD: i32 = 23170;
const _: () = assert!(HEAD == 8);

/// The weights of the 1356-byte mode, in the order in which they are packed.
#[derive(Clone, Copy)]
pub struct SectorllmWeights<'m> {
    /// Embedding and classifier (vocab_size, dim), Q16.16.
    embedding: &'m [i32],
    /// The norm before attention (n_layers, dim), Q16.16.
    rms_att: &'m [i32],
    /// The norm before the feed-forward layer (n_layers, dim), Q16.16.
    rms_ffn: &'m [i32],
    /// The norm before the classifier (dim,), Q16.16.
    rms_final: &'m [i32],
    /// RoPE's (cosine, sine) (seq_len, head_size / 2) as they are in the checkpoint, Q16.16.
    rope: Rope<'m, Q16>,
    /// exp(-i / 64), Q16.16.
    exp: &'m [i32],
    /// silu(i / 64 - 8), Q16.16.
    silu: &'m [i32],
    /// Scales of wqkv, wo, w13 and w2, Q16.16.
    scales: &'m [i32],
    /// wq, wk, wv, one below the other, layer by layer (n_layers, dim + 2 kv_dim, dim).
    wqkv: &'m [i8],
    /// wo (n_layers, dim, dim).
    wo: &'m [i8],
    /// w1 and w3, one below the other, layer by layer (n_layers, 2 hidden_dim, dim).
    w13: &'m [i8],
    /// w2 (n_layers, dim, hidden_dim).
    w2: &'m [i8],
}

/// How many 32-bit numbers each of the first eight has.
const WORDS: [usize; 8] = [
    VOCAB * DIM,
    LAYERS * DIM,
    LAYERS * DIM,
    DIM,
    SEQ * HEAD, // two for each pair of a head's values
    EXP_ENTRIES,
    SILU_ENTRIES,
    4,
];
/// How many bytes each of the last four has.
const BYTES: [usize; 4] =
    [LAYERS * QKV * DIM, LAYERS * DIM * DIM, LAYERS * 2 * HIDDEN * DIM, LAYERS * DIM * HIDDEN];

impl<'m> SectorllmWeights<'m> {
    /// Bytes of all of them.
    pub const PACKED_BYTES: usize = {
        let (mut total, mut i) = (0, 0);
        while i < WORDS.len() {
            total += 4 * WORDS[i];
            i += 1;
        }
        i = 0;
        while i < BYTES.len() {
            total += BYTES[i];
            i += 1;
        }
        total
    };

    /// The parts of [`Self::PACKED_BYTES`] bytes.
    pub fn new(mut bytes: &'m [u8]) -> Self {
        let mut part = |length| bytes.split_off(..length).expect("as many bytes as are packed");
        let [embedding, rms_att, rms_ffn, rms_final, cos_sin, exp, silu, scales] =
            WORDS.map(|words| bytemuck::cast_slice(part(4 * words)));
        let [wqkv, wo, w13, w2] = BYTES.map(|bytes| bytemuck::cast_slice(part(bytes)));
        let rope = Rope { table: bytemuck::cast_slice(cos_sin), pairs: HEAD / 2 };
        Self { embedding, rms_att, rms_ffn, rms_final, rope, exp, silu, scales, wqkv, wo, w13, w2 }
    }
}

/// The unknown token of its vocabulary.
const UNKNOWN: u32 = 0;
/// Fraction bits of all numbers here.
const Q16: u32 = 16;

/// The engine of the 1356-byte mode.
pub struct Sectorllm<'m> {
    weights: SectorllmWeights<'m>,
    context: usize,
    /// Keys and values (n_layers, context, 2).
    cache: Vec<[Quantized; 2]>,
    /// Scores, then weights (context,).
    att: Vec<i32>,
    /// The first position's keys, not rotated (n_layers, kv_dim).
    first_keys: Vec<[i32; KV_DIM]>,
    /// The residual stream (dim,).
    x: [i32; DIM],
    /// Within a branch of the residual (dim,).
    xb: [i32; DIM],
    /// \[q | k | v\] of this position (dim + 2 kv_dim,).
    qkv: Vec<i32>,
    /// \[gate | up\] of the feed-forward layer (2 hidden_dim,).
    hb: Vec<i32>,
    /// Logits (vocab_size,).
    logits: Vec<i32>,
}

impl<'m> Sectorllm<'m> {
    /// Bytes of key/value cache and of what the engine works in.
    pub fn memory(context: usize) -> (u64, u64) {
        let cache = LAYERS * context * size_of::<[Quantized; 2]>();
        let words = context + LAYERS * KV_DIM + QKV + 2 * HIDDEN + VOCAB;
        (cache as u64, (size_of::<Self>() + 4 * words) as u64)
    }

    /// An engine with an empty cache for `context` positions (1 to 512).
    pub fn new(weights: SectorllmWeights<'m>, context: usize) -> Result<Self, EngineError> {
        assert!(context != 0 && context <= SEQ, "a context that the model has");
        let mut allocator = Allocator::default();
        let engine = Self {
            weights,
            context,
            cache: allocator.zeroed(LAYERS * context),
            att: allocator.zeroed(context),
            first_keys: allocator.zeroed(LAYERS),
            x: [0; DIM],
            xb: [0; DIM],
            qkv: allocator.zeroed(QKV),
            hb: allocator.zeroed(2 * HIDDEN),
            logits: allocator.zeroed(VOCAB),
        };
        allocator.check()?;
        Ok(engine)
    }

    /// `x += wo @ attention([wq | wk | wv] @ rmsnorm(x))`
    fn attention_block(&mut self, layer: usize, pos: usize) {
        let weights = self.weights;
        rmsnorm(&mut self.xb, &self.x, of_layer(weights.rms_att, layer));
        matmul(&mut self.qkv, of_layer(weights.wqkv, layer), &self.xb, weights.scales[0]);
        let mut cos_sin = [[0; 2]; HEAD / 2];
        weights.rope.cos_sin_at(pos, &mut cos_sin);
        rope(&mut self.qkv[..DIM + KV_DIM], &cos_sin);
        let (q, kv) = self.qkv.split_at(DIM);
        let (start, count) = (layer * self.context, (pos + 1).min(self.context));
        let cache = &mut self.cache[start..][..self.context];
        cache[slot_of(pos, self.context)] = [quantize(&kv[..KV_DIM]), quantize(&kv[KV_DIM..])];
        // The window rolls as in `attention`, which the 1356-byte build never does.
        if pos == 0 {
            self.first_keys[layer].copy_from_slice(&kv[..KV_DIM]);
        } else if pos >= count {
            let mut key = self.first_keys[layer];
            weights.rope.cos_sin_at(pos + 1 - count, &mut cos_sin);
            rope(&mut key, &cos_sin);
            cache[0][0] = quantize(&key);
        }
        let cache = &cache[..count];
        let att = &mut self.att[..count];
        for (head, (q, out)) in q.chunks_exact(HEAD).zip(self.xb.chunks_exact_mut(HEAD)).enumerate() {
            let at = head / GROUP * HEAD;
            for (att, [k, _]) in att.iter_mut().zip(cache) {
                *att = mul(mul(dot(&k.values[at..at + HEAD], q), k.scale), ROOT_OF_HEAD);
            }
            softmax(att, weights.exp);
            out.fill(0);
            for (&att, [_, v]) in att.iter().zip(cache) {
                let weight = mul(att, v.scale);
                for (out, &v) in out.iter_mut().zip(&v.values[at..at + HEAD]) {
                    *out = out.wrapping_add(i32::from(v).wrapping_mul(weight));
                }
            }
        }
        let mut branch = [0; DIM];
        matmul(&mut branch, of_layer(weights.wo, layer), &self.xb, weights.scales[1]);
        add(&mut self.x, &branch);
    }

    /// `x += w2 @ (silu(w1 @ rmsnorm(x)) · (w3 @ rmsnorm(x)))`
    fn ffn_block(&mut self, layer: usize) {
        let weights = self.weights;
        rmsnorm(&mut self.xb, &self.x, of_layer(weights.rms_ffn, layer));
        matmul(&mut self.hb, of_layer(weights.w13, layer), &self.xb, weights.scales[2]);
        let (gate, up) = self.hb.split_at_mut(HIDDEN);
        for (gate, &up) in gate.iter_mut().zip(&*up) {
            let entry = ((*gate >> STEP_SHIFT) + SILU_ENTRIES as i32 / 2) as i16; // 16 bits, as in the original
            *gate = mul(up, weights.silu[entry.clamp(0, SILU_ENTRIES as i16 - 1) as usize]);
        }
        matmul(&mut self.xb, of_layer(weights.w2, layer), gate, weights.scales[3]);
        add(&mut self.x, &self.xb);
    }
}

impl Engine for Sectorllm<'_> {
    fn kind(&self) -> EngineKind {
        EngineKind::Sectorllm
    }

    fn context(&self) -> usize {
        self.context
    }

    fn forward(&mut self, token: u32, pos: usize) -> &[i32] {
        self.x.copy_from_slice(&self.weights.embedding[token as usize * DIM..][..DIM]);
        for layer in 0..LAYERS {
            self.attention_block(layer, pos);
            self.ffn_block(layer);
        }
        rmsnorm(&mut self.xb, &self.x, self.weights.rms_final);
        for (logit, row) in self.logits.iter_mut().zip(self.weights.embedding.chunks_exact(DIM)) {
            // Each product is shifted before it is added.
            *logit = row.iter().zip(&self.xb).fold(0, |sum: i32, (&w, &x)| sum.wrapping_add(mul(x, w)));
        }
        &self.logits
    }

    /// The 1356-byte build stops at the unknown token, too.
    fn ends(&self, token: u32) -> bool {
        token == UNKNOWN
    }
}

/// A layer's part of a tensor that holds all layers.
fn of_layer<T>(tensor: &[T], layer: usize) -> &[T] {
    let length = tensor.len() / LAYERS;
    &tensor[layer * length..][..length]
}

/// The product of two Q16.16.
fn mul(a: i32, b: i32) -> i32 {
    ((i64::from(a) * i64::from(b)) >> 16) as i32
}

/// 1 / sqrt(x), x and result Q16.16 without sign: a power of two from the top bit, then five of
/// Newton's steps.
fn inverse_sqrt(x: u32) -> u32 {
    let top = 31 - x.leading_zeros();
    let product = |a: u32, b: u32| ((u64::from(a) * u64::from(b)) >> 16) as u32;
    let mut y = 1u32 << ((48 - top) / 2);
    for _ in 0..5 {
        let rest = (3u32 << 16).wrapping_sub(product(product(y, y), x));
        y = product(rest, y) >> 1;
    }
    y
}

/// `out = x · w / sqrt(mean(x²) + 2^-16)`
fn rmsnorm(out: &mut [i32; DIM], x: &[i32; DIM], w: &[i32]) {
    let squares = x.iter().fold(0u32, |sum, &x| sum.wrapping_add(mul(x, x) as u32));
    let scale = inverse_sqrt((squares >> DIM.ilog2()) + 1) as i32;
    for ((out, &x), &w) in out.iter_mut().zip(x).zip(w) {
        *out = mul(mul(x, scale), w);
    }
}

/// `out[r] = (Σ w[r][c] · x[c], its low 32 bits) · scale`
fn matmul(out: &mut [i32], w: &[i8], x: &[i32], scale: i32) {
    for (out, row) in out.iter_mut().zip(w.chunks_exact(x.len())) {
        *out = mul(dot(row, x), scale);
    }
}

/// The low 32 bits of the dot product.
fn dot(w: &[i8], x: &[i32]) -> i32 {
    w.iter().zip(x).fold(0, |sum: i32, (&w, &x)| sum.wrapping_add(i32::from(w).wrapping_mul(x)))
}

/// Rotates each head of `x`.
fn rope(x: &mut [i32], cos_sin: &[CosSin]) {
    for head in x.as_chunks_mut::<HEAD>().0 {
        for (pair, &[cos, sin]) in head.as_chunks_mut::<2>().0.iter_mut().zip(cos_sin) {
            let [a, b] = *pair;
            *pair = [mul(a, cos).wrapping_sub(mul(b, sin)), mul(a, sin).wrapping_add(mul(b, cos))];
        }
    }
}

/// A key or value. Aligned as the int8 engine's cache, so that the loader knows where either will lie.
#[derive(Clone, Copy, bytemuck::Zeroable)]
#[repr(C, align(16))]
struct Quantized {
    scale: i32,
    values: [i8; KV_DIM],
}

/// Rounds a key or value to int8, towards zero.
fn quantize(x: &[i32]) -> Quantized {
    let max = x.iter().fold(0, |max, x| x.wrapping_abs().max(max));
    let mut scale = max / 127;
    if scale & 0xFFFF == 0 {
        scale += 1; // never divide by zero
    }
    Quantized { scale, values: core::array::from_fn(|i| (x[i] / scale) as i8) }
}

/// `att = e^(att - max) / Σ`, by the table.
fn softmax(att: &mut [i32], exp: &[i32]) {
    let max = att.iter().fold(i32::MIN, |max, &score| max.max(score));
    let mut sum = 0u32;
    for att in att.iter_mut() {
        let entry = ((max.wrapping_sub(*att) as u32) >> STEP_SHIFT) as i16; // 16 bits, as in the original
        *att = exp[entry.clamp(0, EXP_ENTRIES as i16 - 1) as usize];
        sum = sum.wrapping_add(*att as u32);
    }
    for att in att.iter_mut() {
        // The sum is never 0 but for a table that no packer wrote.
        *att = ((u64::from(*att as u32) << 16) / u64::from(sum.max(1))) as i32;
    }
}

fn add(x: &mut [i32; DIM], delta: &[i32; DIM]) {
    for (x, &delta) in x.iter_mut().zip(delta) {
        *x = x.wrapping_add(delta);
    }
}
