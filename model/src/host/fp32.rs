//! The fp32 reference: llama2.c's forward pass in the host's float.
mod layer;

pub use layer::{Inputs, LayerWeights, Layers, add};

use super::checkpoint::{Checkpoint, CheckpointError, Weight};
use super::dense::matmul;
use crate::packed::Kind;
use crate::shape::Shape;
use std::io::{Read, Seek};

/// All weights of a checkpoint, as they are in the file.
#[derive(Clone)]
pub struct Weights {
    /// The model's shape.
    pub shape: Shape,
    pub(super) arithmetic: Layers,
    pub(super) embedding: Vec<f32>,
    pub(super) layers: Vec<LayerWeights>,
    pub(super) rms_final: Vec<f32>,
    pub(super) classifier: Option<Vec<f32>>,
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
        let arithmetic = Layers::of(checkpoint.config());
        let shape = checkpoint.shape();
        let layers: Result<_, _> =
            (0..shape.n_layers).map(|layer| LayerWeights::read(checkpoint, layer)).collect();
        let classifier =
            if shape.shared_classifier { None } else { Some(checkpoint.read(Weight::Classifier, 0)?) };
        Ok(Self {
            shape,
            arithmetic,
            embedding: checkpoint.read(Weight::TokenEmbedding, 0)?,
            layers: layers?,
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
        let dim = weights.shape.dim;
        let mut x: Vec<f32> = Vec::with_capacity(tokens.len() * dim);
        for &token in tokens {
            x.extend(&weights.embedding[token as usize * dim..][..dim]);
        }
        let cache = self.context * weights.shape.kv_dim();
        let caches = self.key_cache.chunks_exact_mut(cache).zip(self.value_cache.chunks_exact_mut(cache));
        for (layer, (keys, values)) in weights.layers.iter().zip(caches) {
            weights.arithmetic.forward(layer, &mut x, pos, (keys, values), &self.rounding);
        }
        let xb = weights.arithmetic.rmsnorm(&x, &weights.rms_final, &self.rounding);
        let classifier = weights.classifier.as_ref().unwrap_or(&weights.embedding);
        self.logits = matmul(classifier, &xb, dim);
        &self.logits
    }
}
