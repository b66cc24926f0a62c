//! All texts at once in the fp32 reference, layer by layer: as they are, and with the matrices rounded so far.
use crate::host::dense::matmul_in_parallel;
use crate::host::fp32::{LayerWeights, Weights, add};
use crate::host::refine::Steady;
use crate::shape::Shape;
use rayon::prelude::*;

/// Positions that a processor works on at once.
const PART: usize = 64;

/// Vectors of all texts' positions (positions, width): exact ones, and those that the rounded matrices give.
pub struct Pair {
    /// What the checkpoint's weights give.
    pub exact: Vec<f32>,
    /// What the rounded ones give.
    pub rounded: Vec<f32>,
}

impl Pair {
    /// exact - rounded.
    pub fn difference(&self) -> Vec<f32> {
        self.exact.iter().zip(&self.rounded).map(|(exact, rounded)| exact - rounded).collect()
    }

    /// Each by its own function.
    fn map(&self, exact: impl Fn(&[f32]) -> Vec<f32>, rounded: impl Fn(&[f32]) -> Vec<f32>) -> Self {
        Self { exact: exact(&self.exact), rounded: rounded(&self.rounded) }
    }
}

/// The texts and the weights that they are read with.
pub struct Streams<'w> {
    weights: &'w Weights,
    texts: Vec<Vec<u32>>,
}

impl<'w> Streams<'w> {
    /// Streams of these texts.
    pub fn new(weights: &'w Weights, texts: Vec<Vec<u32>>) -> Self {
        Self { weights, texts }
    }

    /// The model's shape.
    pub fn shape(&self) -> &'w Shape {
        &self.weights.shape
    }

    /// The embeddings of all tokens (positions, dim), from those of the vocabulary (vocab_size, dim).
    pub fn embeddings(&self, rounded: &[f32]) -> Pair {
        let dim = self.weights.shape.dim;
        let all = |table: &[f32]| {
            let tokens = self.texts.iter().flatten();
            tokens.flat_map(|&token| table[token as usize * dim..][..dim].to_vec()).collect()
        };
        Pair { exact: all(&self.weights.embedding), rounded: all(rounded) }
    }

    /// The RMSNorm of both streams.
    pub fn rmsnorm(&self, x: &Pair, weight: &[f32]) -> Pair {
        let norm = |x: &[f32]| self.weights.arithmetic.rmsnorm(x, weight, &Steady);
        x.map(norm, norm)
    }

    /// The heads' outputs (positions, q_dim).
    pub fn attention(&self, exact: &LayerWeights, rounded: &LayerWeights, xb: &Pair) -> Pair {
        let dim = self.weights.shape.dim;
        let heads = |layer: &LayerWeights, xb: &[f32]| {
            let mut rest = xb;
            let parts = self.texts.iter().map(|text| {
                let (part, behind) = rest.split_at(text.len() * dim);
                rest = behind;
                part
            });
            let parts: Vec<&[f32]> = parts.collect();
            let outputs = parts.par_iter().map(|part| {
                let cache = || vec![0.0; part.len() / dim * self.weights.shape.kv_dim()];
                self.weights.arithmetic.attention(layer, part, 0, (&mut cache(), &mut cache()), &Steady)
            });
            outputs.collect::<Vec<_>>().concat()
        };
        xb.map(|xb| heads(exact, xb), |xb| heads(rounded, xb))
    }

    /// SwiGLU's outputs (positions, hidden_dim).
    pub fn swiglu(&self, exact: &LayerWeights, rounded: &LayerWeights, xb: &Pair) -> Pair {
        let dim = self.weights.shape.dim;
        let outputs = |layer: &LayerWeights, xb: &[f32]| {
            let parts = xb.par_chunks(PART * dim);
            parts.map(|xb| self.weights.arithmetic.swiglu(layer, xb, &Steady)).collect::<Vec<_>>().concat()
        };
        xb.map(|xb| outputs(exact, xb), |xb| outputs(rounded, xb))
    }
}

/// `x += W @ input` for both, W (dim, cols) exact and rounded.
pub fn add_products(x: &mut Pair, exact: &[f32], rounded: &[f32], input: &Pair, cols: usize) {
    for (x, w, input) in [(&mut x.exact, exact, &input.exact), (&mut x.rounded, rounded, &input.rounded)] {
        add(x, &matmul_in_parallel(w, input, cols));
    }
}
