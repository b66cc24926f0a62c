//! All stories at once in the fp32 reference, layer by layer: as they are, and with the matrices rounded so far.
use crate::host::fp32::{Fp32, LayerWeights, Rounding, Weights, add, matmul};
use crate::shape::Shape;
use rayon::prelude::*;

/// fp32 with exponentials of f64: libraries differ in the last bit of f32's, and packed models should not.
#[derive(Clone, Copy)]
struct Steady;

impl Rounding for Steady {
    fn exp(&self, x: f32) -> f32 {
        f64::from(x).exp() as f32
    }

    fn sigmoid(&self, x: f32) -> f32 {
        (1.0 / (1.0 + f64::from(-x).exp())) as f32
    }
}

/// Vectors of all stories' positions (positions, width): exact ones, and those that the rounded matrices give.
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

/// The stories and the weights that they are read with.
pub struct Streams<'w> {
    weights: &'w Weights,
    stories: Vec<Vec<u32>>,
}

impl<'w> Streams<'w> {
    /// Streams of these stories.
    pub fn new(weights: &'w Weights, stories: Vec<Vec<u32>>) -> Self {
        Self { weights, stories }
    }

    /// The model's shape.
    pub fn shape(&self) -> &'w Shape {
        &self.weights.shape
    }

    /// The embeddings of all tokens (positions, dim), from those of the vocabulary (vocab_size, dim).
    pub fn embeddings(&self, rounded: &[f32]) -> Pair {
        let dim = self.weights.shape.dim;
        let all = |table: &[f32]| {
            let tokens = self.stories.iter().flatten();
            tokens.flat_map(|&token| table[token as usize * dim..][..dim].to_vec()).collect()
        };
        Pair { exact: all(&self.weights.embedding), rounded: all(rounded) }
    }

    /// The RMSNorm of both streams.
    pub fn rmsnorm(&self, x: &Pair, weight: &[f32]) -> Pair {
        let norm = |x: &[f32]| self.engine(1).rmsnorm(x, weight);
        x.map(norm, norm)
    }

    /// The heads' outputs (positions, q_dim).
    pub fn attention(&self, exact: &LayerWeights, rounded: &LayerWeights, xb: &Pair) -> Pair {
        let dim = self.weights.shape.dim;
        let heads = |layer: &LayerWeights, xb: &[f32]| {
            let mut rest = xb;
            let parts = self.stories.iter().map(|story| {
                let (part, behind) = rest.split_at(story.len() * dim);
                rest = behind;
                part
            });
            let parts: Vec<&[f32]> = parts.collect();
            let outputs = parts.par_iter().map(|part| {
                // One layer's place in a cache is enough: none is read after this.
                self.engine(part.len() / dim).attention(layer, 0, part, 0)
            });
            outputs.collect::<Vec<_>>().concat()
        };
        xb.map(|xb| heads(exact, xb), |xb| heads(rounded, xb))
    }

    /// SwiGLU's outputs (positions, hidden_dim).
    pub fn swiglu(&self, exact: &LayerWeights, rounded: &LayerWeights, xb: &Pair) -> Pair {
        let dim = self.weights.shape.dim;
        let outputs =
            |layer: &LayerWeights, xb: &[f32]| by_parts(xb, dim, |xb| self.engine(1).swiglu(layer, xb));
        xb.map(|xb| outputs(exact, xb), |xb| outputs(rounded, xb))
    }

    fn engine(&self, context: usize) -> Fp32<'w, impl Rounding + use<>> {
        Fp32::with_rounding(self.weights, context, Steady)
    }
}

/// `x += W @ input` for both, W (dim, cols) exact and rounded.
pub fn add_products(x: &mut Pair, exact: &[f32], rounded: &[f32], input: &Pair, cols: usize) {
    for (x, w, input) in [(&mut x.exact, exact, &input.exact), (&mut x.rounded, rounded, &input.rounded)] {
        add(x, &by_parts(input, cols, |input| matmul(w, input, cols)));
    }
}

/// Positions that a processor works on at once.
const PART: usize = 64;

/// `work` on parts of x (positions, width) by all processors.
fn by_parts(x: &[f32], width: usize, work: impl Fn(&[f32]) -> Vec<f32> + Sync + Send) -> Vec<f32> {
    x.par_chunks(PART * width).map(work).collect::<Vec<_>>().concat()
}
