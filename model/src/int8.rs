//! The int8 LUT engine: Llama's forward pass in integers.
//!
//! The residual stream x has the fraction bits that suit the model (Q16.16 for most). Each matrix gets its input
//! as integers of at most 16 bits times a power of two ([`Activations`]); all that is not a matrix is in 32-bit
//! numbers with fraction bits.
use crate::allocation::Allocator;
use crate::attention::{Attention, KvCache};
use crate::engine::{Engine, EngineError, EngineKind};
use crate::ffn::swiglu;
use crate::fixed::Scale;
use crate::matmul::{Activations, matmul};
use crate::packed::Model;
use crate::phase::{Phase, Stopwatch};
use crate::shape::Shape;
use crate::simd::Simd;
use crate::workers::Processors;
use alloc::vec::Vec;

/// The engine: a model, its key/value cache and its activations, by llama2.c's names. `S` times the
/// phases of a token.
pub struct Int8<'m, S = ()> {
    model: Model<'m>,
    processors: Processors<'m>,
    stopwatch: S,
    attention: Attention<'m>,
    /// The residual stream (dim,).
    x: Vec<i32>,
    /// Input of the next matrix (dim,), (q_dim,) or (hidden_dim,).
    input: Activations,
    /// Within a branch of the residual (dim,), or all heads' outputs (q_dim,).
    xb: Vec<i32>,
    /// \[q | k | v\] of this position (q_dim + 2 kv_dim,).
    qkv: Vec<i32>,
    /// \[gate | up\] of the feed-forward layer (2 hidden_dim,).
    hb: Vec<i32>,
    /// Logits (vocab_size,), Q16.16.
    logits: Vec<i32>,
    /// Values of the residual stream that had to be limited.
    saturations: u32,
}

/// The lengths of x, xb, qkv, hb and logits.
fn lengths(shape: &Shape) -> [usize; 5] {
    [shape.dim, shape.dim.max(shape.q_dim()), shape.qkv_dim(), 2 * shape.hidden_dim, shape.vocab_size]
}

/// The most columns of a matrix.
fn longest_input(shape: &Shape) -> usize {
    shape.dim.max(shape.q_dim()).max(shape.hidden_dim)
}

impl<'m> Int8<'m> {
    /// Bytes of key/value cache and activations that an engine allocates.
    pub fn memory(shape: &Shape, context: usize) -> (u64, u64) {
        let words: usize = lengths(shape).iter().sum();
        let input = Activations::bytes(longest_input(shape));
        (KvCache::bytes(shape, context), 4 * words as u64 + input + Attention::bytes(shape))
    }

    /// An engine on one processor, with an empty cache for `context` positions (at most the shape's
    /// `seq_len`).
    pub fn new(model: Model<'m>, context: usize, simd: Simd) -> Result<Self, EngineError> {
        let cache = KvCache::new(&model.shape, context)?;
        Self::on(Processors::one(simd), model, cache)
    }

    /// An engine with this cache.
    pub fn on(processors: Processors<'m>, model: Model<'m>, cache: KvCache) -> Result<Self, EngineError> {
        Self::timed(processors, model, cache, ())
    }
}

impl<'m, S: Stopwatch> Int8<'m, S> {
    /// [`Int8::new`] with somebody who watches.
    #[cfg(feature = "std")]
    pub fn measured(model: Model<'m>, context: usize, simd: Simd, stopwatch: S) -> Result<Self, EngineError> {
        let cache = KvCache::new(&model.shape, context)?;
        Self::timed(Processors::one(simd), model, cache, stopwatch)
    }

    /// [`Int8::on`], with the phases timed.
    pub fn timed(
        processors: Processors<'m>,
        model: Model<'m>,
        cache: KvCache,
        stopwatch: S,
    ) -> Result<Self, EngineError> {
        let shape = model.shape;
        let mut allocator = Allocator::default();
        let [x, xb, qkv, hb, logits] = lengths(&shape);
        let (x, xb) = (allocator.zeroed(x), allocator.zeroed(xb));
        let (qkv, hb, logits) = (allocator.zeroed(qkv), allocator.zeroed(hb), allocator.zeroed(logits));
        let input = Activations::new(&mut allocator, longest_input(&shape), processors.simd);
        let attention = Attention::new(&mut allocator, model.rope, &model.tables, cache);
        let engine =
            Self { model, processors, stopwatch, attention, x, input, xb, qkv, hb, logits, saturations: 0 };
        allocator.check()?;
        Ok(engine)
    }

    /// `[q | k | v] = [wq | wk | wv] @ rmsnorm(x)`
    fn qkv(&mut self, index: usize) {
        let layer = &self.model.layers[index];
        let xb = &mut self.xb[..self.model.shape.dim];
        self.model.norm.apply(&self.x, &layer.rms_att, xb, &mut self.input, layer.wqkv.coding);
        matmul(self.processors, &layer.wqkv, &self.input, &mut self.qkv);
        self.stopwatch.lap(Phase::Qkv);
    }

    /// `attention([q | k | v])` into `xb`, where it is wanted.
    fn attend(&mut self, index: usize, pos: usize, wanted: bool) {
        let fraction_bits = self.model.layers[index].wqkv.fraction_bits;
        let out = wanted.then_some(&mut self.xb[..self.model.shape.q_dim()]);
        self.attention.attend(self.processors, index, pos, &mut self.qkv, fraction_bits, out);
    }

    /// `x += wo @ attention([wq | wk | wv] @ rmsnorm(x))`
    fn attention_block(&mut self, index: usize, pos: usize) {
        self.qkv(index);
        self.attend(index, pos, true);
        let layer = &self.model.layers[index];
        let (dim, q_dim) = (self.model.shape.dim, self.model.shape.q_dim());
        let unit = Scale::new(1, -layer.wqkv.fraction_bits);
        self.input.quantize(&self.xb[..q_dim], unit, layer.wo.coding);
        matmul(self.processors, &layer.wo, &self.input, &mut self.xb[..dim]);
        self.saturations += add(&mut self.x, &self.xb);
        self.stopwatch.residual(&self.x);
        self.stopwatch.lap(Phase::Attention);
    }

    /// `x += w2 @ (silu(w1 @ rmsnorm(x)) · (w3 @ rmsnorm(x)))`
    fn ffn_block(&mut self, index: usize) {
        let layer = &self.model.layers[index];
        let xb = &mut self.xb[..self.model.shape.dim];
        self.model.norm.apply(&self.x, &layer.rms_ffn, xb, &mut self.input, layer.w13.coding);
        matmul(self.processors, &layer.w13, &self.input, &mut self.hb); // [gate | up]
        let (gate, up) = self.hb.split_at_mut(self.model.shape.hidden_dim);
        let fraction_bits = swiglu(&self.model.tables, gate, up, layer.w13.fraction_bits);
        self.input.quantize(gate, Scale::new(1, -fraction_bits), layer.w2.coding);
        matmul(self.processors, &layer.w2, &self.input, xb);
        self.saturations += add(&mut self.x, xb);
        self.stopwatch.residual(&self.x);
        self.stopwatch.lap(Phase::Ffn);
    }

    /// The token's embedding, and all layers but the last, whose number is returned.
    fn layers_before_last(&mut self, token: u32, pos: usize) -> usize {
        assert!((token as usize) < self.model.shape.vocab_size, "a token of the vocabulary");
        self.model.embedding().gather_row(token as usize, self.model.norm.residual_bits, &mut self.x);
        let last = self.model.layers.len() - 1;
        for layer in 0..last {
            self.attention_block(layer, pos);
            self.ffn_block(layer);
        }
        last
    }
}

impl<S: Stopwatch> Engine for Int8<'_, S> {
    fn kind(&self) -> EngineKind {
        EngineKind::Int8
    }

    fn context(&self) -> usize {
        self.attention.context()
    }

    fn saturations(&self) -> u32 {
        self.saturations
    }

    fn forward(&mut self, token: u32, pos: usize) -> &[i32] {
        let last = self.layers_before_last(token, pos);
        self.attention_block(last, pos);
        self.ffn_block(last);
        let model = &self.model;
        let xb = &mut self.xb[..model.shape.dim];
        model.norm.apply(&self.x, &model.rms_final, xb, &mut self.input, model.classifier.coding);
        matmul(self.processors, &model.classifier, &self.input, &mut self.logits);
        self.stopwatch.lap(Phase::Classifier);
        &self.logits
    }

    /// What later positions attend to are the keys and values: nothing else is needed of the last layer.
    fn read(&mut self, token: u32, pos: usize) {
        let last = self.layers_before_last(token, pos);
        self.qkv(last);
        self.attend(last, pos, false);
    }
}

/// `x += delta`, limited to i32. Returns how many were.
fn add(x: &mut [i32], delta: &[i32]) -> u32 {
    let mut limited = 0;
    for (x, &delta) in x.iter_mut().zip(delta) {
        let sum = x.saturating_add(delta);
        limited += u32::from(sum != x.wrapping_add(delta));
        *x = sum;
    }
    limited
}
