//! A small model, refined as it is packed, front to back.
//!
//! In a model of some hundred thousand weights a row has few columns, and rounding each weight to the nearest leaves
//! the model as far from fp32 as can be measured. So the packer reads texts with the exact weights and with the rounded
//! ones side by side (`streams`), and rounds matrix by matrix. Each gets
//!
//! 1. what makes up for the errors before it, as far as its own inputs tell them: least squares; wo and w2 write into
//!    the residual stream, and make up for all errors that are in it;
//! 2. for w2: factors for its columns, which w3's rows are divided by (`columns`);
//! 3. rounding with its errors fed on ([`Feeding`]).
mod columns;
mod streams;

use super::write_texts;
use crate::host::dense::{damped_cholesky, gram, matmul_in_parallel, solve, transposed};
use crate::host::fp32::{LayerWeights, Weights, add};
use crate::host::quantize::{Feeding, RoundedRows, fraction_bits_after_norm};
use crate::packed::{Kind, Packed};
use crate::shape::Shape;
use rayon::prelude::*;
use streams::{Pair, Streams};

/// Models of at most so many weights are refined: it takes seconds for each million.
pub const MOST_WEIGHTS: u64 = 1 << 20;
/// How many texts the model writes; more where its context makes them shorter.
const TEXTS: usize = 24;
/// Tokens of a text at most: more of them take the time of their attention.
const TEXT_TOKENS: usize = 200;
/// A share of the mean square of the inputs on top of each, so that least squares do not learn the texts by heart.
const RIDGE: f32 = 0.1;

/// What is done, so that it can be measured what each brings.
#[derive(Clone, Copy)]
pub struct Steps {
    /// Errors are made up for by the matrices behind them.
    pub correction: bool,
    /// w2's columns get factors.
    pub factors: bool,
    /// Errors are made up for by a row's other weights; else each row only gets the scale that suits its input.
    pub feedback: bool,
}

impl Steps {
    /// As models are refined.
    pub const ALL: Self = Self { correction: true, factors: true, feedback: true };

    /// How a matrix's errors are fed on, by the [`squares`] of its inputs.
    fn feeding(self, squares: &[f32], cols: usize) -> Option<Feeding> {
        let mut squares = squares.to_vec();
        if !self.feedback {
            let off_diagonal = squares.iter_mut().enumerate().filter(|(at, _)| at % (cols + 1) != 0);
            off_diagonal.for_each(|(_, square)| *square = 0.0);
        }
        Feeding::for_rows(&squares, cols)
    }

    /// Rounds a matrix (rows, cols) by the same.
    fn round(self, weights: &[f32], squares: &[f32], cols: usize) -> RoundedRows {
        RoundedRows::new(&[weights], cols, self.feeding(squares, cols).as_ref())
    }
}

/// Whether a model of this shape is so small that it is refined.
pub fn is_for(shape: &Shape) -> bool {
    shape.parameters() <= MOST_WEIGHTS
}

/// Refines a model that was packed for the int8 engine from a checkpoint of these weights, all its matrices with
/// [`crate::matrix::Coding::Rows`].
pub fn refine(packed: &mut Packed, weights: &Weights, steps: Steps) {
    let shape = weights.shape;
    let tokens = shape.seq_len.min(TEXT_TOKENS);
    let texts = write_texts(packed, TEXTS * TEXT_TOKENS / tokens, tokens, |_, _| {});
    let streams = Streams::new(weights, texts);
    let mut x = streams.embeddings(&embedding(packed, &shape));
    for (index, exact) in weights.layers.iter().enumerate() {
        for (kind, matrix) in refine_layer(&streams, &mut x, exact, steps) {
            replace(packed, kind, index, &matrix, Some(exact));
        }
    }
    // Not corrected: where it is the embedding as well, it would be a worse one.
    let input = streams.rmsnorm(&x, &weights.rms_final);
    let classifier = weights.classifier.as_ref().unwrap_or(&weights.embedding);
    let classifier = steps.round(classifier, &squares(&input.rounded, shape.dim), shape.dim);
    replace(packed, Kind::Classifier, 0, &classifier, None);
    packed.seal();
}

/// Rounds a layer's matrices, and brings the residual streams `x` behind it.
fn refine_layer(
    streams: &Streams,
    x: &mut Pair,
    exact: &LayerWeights,
    steps: Steps,
) -> [(Kind, RoundedRows); 4] {
    let shape = streams.shape();
    let Shape { dim, hidden_dim, .. } = *shape;
    let (q_dim, kv_dim) = (shape.q_dim(), shape.kv_dim());
    let mut rounded = exact.clone();

    let input = streams.rmsnorm(x, &exact.rms_att);
    let qkv = [&exact.wq[..], &exact.wk, &exact.wv].concat();
    let (w, h) = corrected(&qkv, dim, &input, None, steps);
    let wqkv = steps.round(&w, &h, dim);
    let numbers = wqkv.numbers();
    let (wq, rest) = numbers.split_at(q_dim * dim);
    let (wk, wv) = rest.split_at(kv_dim * dim);
    (rounded.wq, rounded.wk, rounded.wv) = (wq.to_vec(), wk.to_vec(), wv.to_vec());
    let heads = streams.attention(exact, &rounded, &input);

    let (w, h) = corrected(&exact.wo, q_dim, &heads, Some(x), steps);
    let wo = steps.round(&w, &h, q_dim);
    streams::add_products(x, &exact.wo, &wo.numbers(), &heads, q_dim);

    let input = streams.rmsnorm(x, &exact.rms_ffn);
    let (w, h) = corrected(&[&exact.w1[..], &exact.w3].concat(), dim, &input, None, steps);
    let mut w13 = steps.round(&w, &h, dim);
    let numbers = w13.numbers();
    let (w1, w3) = numbers.split_at(hidden_dim * dim);
    (rounded.w1, rounded.w3) = (w1.to_vec(), w3.to_vec());
    let mut hidden = streams.swiglu(exact, &rounded, &input);

    let (mut w, mut h) = corrected(&exact.w2, hidden_dim, &hidden, Some(x), steps);
    if steps.factors
        && let Some(feeding) = steps.feeding(&h, hidden_dim)
    {
        // w2's columns times factors, their inputs and w3's rows divided by them.
        let factors = columns::balance(&w, &feeding.left_over());
        for (h, factor) in h.chunks_exact_mut(hidden_dim).zip(&factors) {
            h.iter_mut().zip(&factors).for_each(|(h, other)| *h /= factor * other);
        }
        for row in w.chunks_exact_mut(hidden_dim) {
            row.iter_mut().zip(&factors).for_each(|(w, factor)| *w *= factor);
        }
        for hidden in hidden.rounded.chunks_exact_mut(hidden_dim) {
            hidden.iter_mut().zip(&factors).for_each(|(hidden, factor)| *hidden /= factor);
        }
        let scales = w13.scales_mut()[hidden_dim..].iter_mut();
        scales.zip(&factors).for_each(|(scale, &factor)| *scale /= f64::from(factor));
    }
    let w2 = steps.round(&w, &h, hidden_dim);
    streams::add_products(x, &exact.w2, &w2.numbers(), &hidden, hidden_dim);
    [(Kind::Wqkv, wqkv), (Kind::Wo, wo), (Kind::W13, w13), (Kind::W2, w2)]
}

/// A matrix W (rows, cols) that gives for the rounded input what is nearest to W's output for the exact one, and to
/// what `stream` lacks besides; and the [`squares`] of the rounded input.
fn corrected(
    w: &[f32],
    cols: usize,
    input: &Pair,
    stream: Option<&Pair>,
    steps: Steps,
) -> (Vec<f32>, Vec<f32>) {
    let mut w = w.to_vec();
    let rows = w.len() / cols;
    let h = squares(&input.rounded, cols);
    if !steps.correction {
        return (w, h);
    }
    let Some(factor) = damped_cholesky(&h, cols, RIDGE) else { return (w, h) };
    // For each pair of columns the sum of their products over all positions.
    let positions = input.rounded.len() / cols;
    let rounded = transposed(&input.rounded, cols);
    let products = |a: &[f32], b: &[f32]| matmul_in_parallel(b, a, positions);
    // What is missing: W · (exact - rounded), and the stream's exact - rounded.
    let missing = products(&rounded, &transposed(&input.difference(), cols));
    let mut owed = matmul_in_parallel(&missing, &w, cols);
    if let Some(stream) = stream {
        add(&mut owed, &products(&transposed(&stream.difference(), rows), &rounded));
    }
    owed.par_chunks_exact_mut(cols).for_each(|owed| solve(&factor, owed));
    add(&mut w, &owed);
    (w, h)
}

/// `XᵀX` (cols, cols) for inputs X (positions, cols). At least the lower half.
fn squares(x: &[f32], cols: usize) -> Vec<f32> {
    gram(&transposed(x, cols), x.len() / cols)
}

/// The embedding (vocab_size, dim) as it was packed.
fn embedding(packed: &Packed, shape: &Shape) -> Vec<f32> {
    /// Fraction bits of the numbers that are read.
    const BITS: i32 = 24;
    let model = packed.model().expect("a model for the int8 engine");
    let mut all = vec![0; shape.vocab_size * shape.dim];
    for (row, out) in all.chunks_exact_mut(shape.dim).enumerate() {
        model.embedding().gather_row(row, BITS, out);
    }
    all.iter().map(|&x| x as f32 / (1 << BITS) as f32).collect()
}

/// Puts a layer's matrix in the place of the packed one.
fn replace(packed: &mut Packed, kind: Kind, layer: usize, rows: &RoundedRows, of: Option<&LayerWeights>) {
    let at = packed.position(kind, layer).expect("the shape's tensors");
    let norm = match (kind, of) {
        (Kind::Wqkv, Some(layer)) => Some(&layer.rms_att),
        (Kind::W13, Some(layer)) => Some(&layer.rms_ffn),
        _ => None,
    };
    let fraction_bits = match norm {
        Some(norm) => fraction_bits_after_norm(&[&rows.numbers()], norm),
        None => packed.header.entries[at].fraction_bits,
    };
    packed.replace_matrix(at, &rows.quantized(fraction_bits));
}
