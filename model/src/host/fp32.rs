//! The fp32 reference: llama2.c's forward pass in the host's float.
use super::checkpoint::{Checkpoint, CheckpointError, Config, Weight};
use crate::packed::Kind;
use crate::shape::Shape;
use std::io::{Read, Seek};

/// All weights of a checkpoint, as they are in the file.
#[derive(Clone)]
pub struct Weights {
    /// The model's shape.
    pub shape: Shape,
    /// ε in RMSNorm.
    epsilon: f32,
    /// RoPE's frequencies (head_size / 2,).
    rope_frequencies: Vec<f32>,
    pub(super) embedding: Vec<f32>,
    pub(super) layers: Vec<LayerWeights>,
    pub(super) rms_final: Vec<f32>,
    pub(super) classifier: Option<Vec<f32>>,
}

/// A layer's weights, by llama2.c's names.
#[derive(Clone)]
pub(super) struct LayerWeights {
    pub(super) rms_att: Vec<f32>,
    pub(super) wq: Vec<f32>,
    pub(super) wk: Vec<f32>,
    pub(super) wv: Vec<f32>,
    pub(super) wo: Vec<f32>,
    pub(super) rms_ffn: Vec<f32>,
    pub(super) w1: Vec<f32>,
    pub(super) w2: Vec<f32>,
    pub(super) w3: Vec<f32>,
}

impl Weights {
    /// Calls `change` with each kind of matrix, layer by layer, and its number of columns; matrices
    /// that share their input come together.
    pub fn change_matrices(&mut self, mut change: impl FnMut(Kind, &mut [&mut Vec<f32>], usize)) {
        let Shape { dim, hidden_dim, .. } = self.shape;
        let q_dim = self.shape.q_dim();
        change(Kind::Embedding, &mut [&mut self.embedding], dim);
        for LayerWeights { wq, wk, wv, wo, w1, w2, w3, .. } in &mut self.layers {
            change(Kind::Wqkv, &mut [wq, wk, wv], dim);
            change(Kind::Wo, &mut [wo], q_dim);
            change(Kind::W13, &mut [w1, w3], dim);
            change(Kind::W2, &mut [w2], hidden_dim);
        }
        if let Some(classifier) = &mut self.classifier {
            change(Kind::Classifier, &mut [classifier], dim);
        }
    }

    /// Gives the classifier a copy of the embedding, where they are one, so that one can be changed without the other.
    pub fn separate_classifier(&mut self) {
        self.classifier.get_or_insert_with(|| self.embedding.clone());
    }

    /// Reads all tensors of a checkpoint.
    pub fn read<R: Read + Seek>(checkpoint: &mut Checkpoint<R>) -> Result<Self, CheckpointError> {
        let Config { shape, epsilon, ref rope_frequencies, .. } = *checkpoint.config();
        let rope_frequencies = rope_frequencies.iter().map(|&frequency| frequency as f32).collect();
        let mut layers = Vec::new();
        for layer in 0..shape.n_layers {
            let mut read = |weight| checkpoint.read(weight, layer);
            layers.push(LayerWeights {
                rms_att: read(Weight::RmsAtt)?,
                wq: read(Weight::Wq)?,
                wk: read(Weight::Wk)?,
                wv: read(Weight::Wv)?,
                wo: read(Weight::Wo)?,
                rms_ffn: read(Weight::RmsFfn)?,
                w1: read(Weight::W1)?,
                w2: read(Weight::W2)?,
                w3: read(Weight::W3)?,
            });
        }
        let classifier =
            if shape.shared_classifier { None } else { Some(checkpoint.read(Weight::Classifier, 0)?) };
        Ok(Self {
            shape,
            epsilon: epsilon as f32,
            rope_frequencies,
            embedding: checkpoint.read(Weight::TokenEmbedding, 0)?,
            layers,
            rms_final: checkpoint.read(Weight::RmsFinal, 0)?,
            classifier,
        })
    }
}

/// Where fewer bits could be used, and are not: the reference calculates exactly. The example
/// `choices` puts roundings here to measure what each costs.
pub trait Rounding {
    /// A vector that goes into a matrix.
    fn input(&self, _x: &mut [f32]) {}

    /// One head's query, key or value.
    fn head(&self, _x: &mut [f32]) {}

    /// e^x for x ≤ 0, in the softmax.
    fn exp(&self, x: f32) -> f32 {
        x.exp()
    }

    /// The logistic function, in SiLU.
    fn sigmoid(&self, x: f32) -> f32 {
        1.0 / (1.0 + (-x).exp())
    }

    /// 1 / √x, in RMSNorm.
    fn rsqrt(&self, x: f32) -> f32 {
        1.0 / x.sqrt()
    }
}

/// No rounding but fp32's own.
#[derive(Clone, Copy)]
pub struct Exact;

impl Rounding for Exact {}

/// The reference engine: weights, key/value cache and logits. Activations have llama2.c's names, a row for
/// each position that is read.
pub struct Fp32<'w, R = Exact> {
    weights: &'w Weights,
    rounding: R,
    context: usize,
    /// Keys and values, `[layer][position][kv_dim]`.
    key_cache: Vec<f32>,
    value_cache: Vec<f32>,
    logits: Vec<f32>,
}

impl<'w> Fp32<'w> {
    /// An engine with an empty cache for `context` positions.
    pub fn new(weights: &'w Weights, context: usize) -> Self {
        Self::with_rounding(weights, context, Exact)
    }
}

impl<'w, R: Rounding> Fp32<'w, R> {
    /// An engine that rounds on its way.
    pub fn with_rounding(weights: &'w Weights, context: usize, rounding: R) -> Self {
        let shape = &weights.shape;
        let cache = || vec![0.0; shape.n_layers * context * shape.kv_dim()];
        Self { weights, rounding, context, key_cache: cache(), value_cache: cache(), logits: Vec::new() }
    }

    /// Positions that the cache holds.
    pub fn context(&self) -> usize {
        self.context
    }

    /// Reads `token`, one of the vocabulary, at position `pos`, within the context, and returns the logits
    /// (vocab_size,) of the one after it.
    pub fn forward(&mut self, token: u32, pos: usize) -> &[f32] {
        self.forward_all(&[token], pos)
    }

    /// Reads `tokens` at `pos` and the positions after it, all within the context, and returns the logits
    /// (tokens, vocab_size) after each. The numbers are those of [`Fp32::forward`], token by token; but each
    /// row of weights comes from memory once for all of them, and memory is what takes the time.
    pub fn forward_all(&mut self, tokens: &[u32], pos: usize) -> &[f32] {
        let weights = self.weights;
        assert!(pos + tokens.len() <= self.context, "positions of the context");
        let Shape { dim, hidden_dim, .. } = weights.shape;
        let mut x: Vec<f32> = Vec::with_capacity(tokens.len() * dim);
        for &token in tokens {
            x.extend(&weights.embedding[token as usize * dim..][..dim]);
        }
        for (index, layer) in weights.layers.iter().enumerate() {
            let xb = self.rmsnorm(&x, &layer.rms_att);
            let mut heads = self.attention(layer, index, &xb, pos);
            let q_dim = weights.shape.q_dim();
            heads.chunks_exact_mut(q_dim).for_each(|heads| self.rounding.input(heads));
            add(&mut x, &matmul(&layer.wo, &heads, q_dim));

            let xb = self.rmsnorm(&x, &layer.rms_ffn);
            let mut hb = self.swiglu(layer, &xb);
            hb.chunks_exact_mut(hidden_dim).for_each(|hb| self.rounding.input(hb));
            add(&mut x, &matmul(&layer.w2, &hb, hidden_dim));
        }
        let xb = self.rmsnorm(&x, &weights.rms_final);
        let classifier = weights.classifier.as_ref().unwrap_or(&weights.embedding);
        self.logits = matmul(classifier, &xb, dim);
        &self.logits
    }

    /// `x · weight / sqrt(mean(x²) + ε)`, position by position, ready for a matrix.
    pub(super) fn rmsnorm(&self, x: &[f32], weight: &[f32]) -> Vec<f32> {
        let mut xb = x.to_vec();
        for xb in xb.chunks_exact_mut(weight.len()) {
            let scale = self.rounding.rsqrt(dot(xb, xb) / xb.len() as f32 + self.weights.epsilon);
            for (x, weight) in xb.iter_mut().zip(weight) {
                *x = weight * (scale * *x);
            }
            self.rounding.input(xb);
        }
        xb
    }

    /// The inside of the feed-forward layer for `xb` (positions, dim): (positions, hidden_dim), without w2.
    pub(super) fn swiglu(&self, layer: &LayerWeights, xb: &[f32]) -> Vec<f32> {
        let dim = self.weights.shape.dim;
        let mut hb = matmul(&layer.w1, xb, dim);
        for (gate, up) in hb.iter_mut().zip(matmul(&layer.w3, xb, dim)) {
            *gate *= up * self.rounding.sigmoid(*gate);
        }
        hb
    }

    /// What the heads give for `xb` (positions, dim): (positions, q_dim), without wo.
    pub(super) fn attention(
        &mut self,
        layer: &LayerWeights,
        index: usize,
        xb: &[f32],
        pos: usize,
    ) -> Vec<f32> {
        let shape = &self.weights.shape;
        let Shape { dim, head_size, .. } = *shape;
        let (q_dim, kv_dim) = (shape.q_dim(), shape.kv_dim());
        let frequencies = &self.weights.rope_frequencies;
        let mut q = matmul(&layer.wq, xb, dim);
        let mut k = matmul(&layer.wk, xb, dim);
        let mut v = matmul(&layer.wv, xb, dim);
        rope(&mut q, q_dim, pos, frequencies);
        rope(&mut k, kv_dim, pos, frequencies);
        for heads in [&mut q, &mut k, &mut v] {
            heads.chunks_exact_mut(head_size).for_each(|head| self.rounding.head(head));
        }
        let start = index * self.context * kv_dim;
        let keys = &mut self.key_cache[start..][..self.context * kv_dim];
        let values = &mut self.value_cache[start..][..self.context * kv_dim];
        keys[pos * kv_dim..][..k.len()].copy_from_slice(&k);
        values[pos * kv_dim..][..v.len()].copy_from_slice(&v);

        let group = shape.n_heads / shape.n_kv_heads;
        let mut heads = vec![0.0; q.len()];
        for (i, (q, heads)) in q.chunks_exact(q_dim).zip(heads.chunks_exact_mut(q_dim)).enumerate() {
            let mut att = vec![0.0; pos + i + 1];
            let each = q.chunks_exact(head_size).zip(heads.chunks_exact_mut(head_size));
            for (head, (q, out)) in each.enumerate() {
                let at = head / group * head_size;
                for (att, k) in att.iter_mut().zip(keys.chunks_exact(kv_dim)) {
                    *att = dot(q, &k[at..][..head_size]) / (head_size as f32).sqrt();
                }
                softmax(&mut att, &self.rounding);
                for (&att, v) in att.iter().zip(values.chunks_exact(kv_dim)) {
                    for (out, v) in out.iter_mut().zip(&v[at..][..head_size]) {
                        *out += att * v;
                    }
                }
            }
        }
        heads
    }
}

/// `W (d, n) @ x (n,)` for each row of x (positions, n): (positions, d).
pub(super) fn matmul(w: &[f32], x: &[f32], n: usize) -> Vec<f32> {
    let d = w.len() / n;
    let mut y = vec![0.0; x.len() / n * d];
    for (i, row) in w.chunks_exact(n).enumerate() {
        for (y, x) in y.chunks_exact_mut(d).zip(x.chunks_exact(n)) {
            y[i] = dot(row, x);
        }
    }
    y
}

/// The dot product, in eight sums that the compiler can keep in one register.
pub(super) fn dot(a: &[f32], b: &[f32]) -> f32 {
    let ((a8, a_rest), (b8, b_rest)) = (a.as_chunks::<8>(), b.as_chunks::<8>());
    let mut sums = [0.0; 8];
    for (a, b) in a8.iter().zip(b8) {
        for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
            *sum += a * b;
        }
    }
    let rest: f32 = a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum();
    sums.iter().sum::<f32>() + rest
}

/// RoPE on x (positions, width) from position `pos` on: pair i of each head is turned by
/// `position · frequencies[i]`.
fn rope(x: &mut [f32], width: usize, pos: usize, frequencies: &[f32]) {
    for (i, x) in x.chunks_exact_mut(width).enumerate() {
        for head in x.chunks_exact_mut(2 * frequencies.len()) {
            for (pair, frequency) in head.as_chunks_mut::<2>().0.iter_mut().zip(frequencies) {
                let (sin, cos) = f64::from((pos + i) as f32 * frequency).sin_cos();
                let ([a, b], sin, cos) = (*pair, sin as f32, cos as f32);
                *pair = [a * cos - b * sin, a * sin + b * cos];
            }
        }
    }
}

/// `x = e^x / Σ e^x`
fn softmax(x: &mut [f32], rounding: &impl Rounding) {
    let max = x.iter().fold(f32::NEG_INFINITY, |max, &x| max.max(x));
    let mut sum = 0.0;
    for x in x.iter_mut() {
        *x = rounding.exp(*x - max);
        sum += *x;
    }
    for x in x.iter_mut() {
        *x /= sum;
    }
}

pub(super) fn add(x: &mut [f32], delta: &[f32]) {
    for (x, delta) in x.iter_mut().zip(delta) {
        *x += delta;
    }
}
