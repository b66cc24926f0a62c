//! The rounding of a small model's weights, refined by what the model does with them.
//!
//! In a model of some hundred thousand weights a row has few columns, and rounding each weight to the nearest leaves
//! the model as far from fp32 as can be measured. So the packer has the model tell itself stories (`text`), reads
//! them with the exact weights and with the rounded ones side by side (`streams`), and rounds matrix by matrix, front
//! to back. Each gets
//!
//! 1. what makes up for the errors before it, as far as its own inputs tell them: least squares (`moments`); wo
//!    and w2 write into the residual stream, and make up for all errors that are in it;
//! 2. for w2: factors for its columns, which w3's rows are divided by (`columns`);
//! 3. rounding with error feedback (`round`).
//!
//! It costs the machine nothing: other integers, the same format. docs/choices.md has what each step brings.
mod columns;
mod moments;
mod round;
mod streams;
mod text;

use super::fp32::{LayerWeights, Weights};
use super::quantize::{QuantizedMatrix, Rows, fraction_bits_after_norm};
use crate::crc32::CRC32_OF_MANY;
use crate::matrix::Coding;
use crate::packed::{Kind, Packed};
use crate::shape::Shape;
use bytemuck::{cast_slice, cast_slice_mut};
use moments::{add_to_diagonal, cholesky, moments, own_moments, solve};
use rayon::prelude::*;
use round::Feedback;
use streams::{Pair, Streams};

/// Models of at most so many weights are refined: it takes seconds for each million.
const MOST_WEIGHTS: u64 = 1 << 20;
/// A share of the mean moment on top of each, so that least squares do not learn the stories by heart.
const RIDGE: f64 = 0.1;

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

    /// From the moments of an input (cols, cols), what its matrix's rounding needs to know.
    fn feedback(self, moments: &[f64], cols: usize) -> Feedback {
        let mut moments = moments.to_vec();
        if !self.feedback {
            let off_diagonal = moments.iter_mut().enumerate().filter(|(at, _)| at % (cols + 1) != 0);
            off_diagonal.for_each(|(_, moment)| *moment = 0.0);
        }
        Feedback::new(&moments, cols)
    }
}

/// Whether a model of this shape is so small that it is refined.
pub fn is_for(shape: &Shape) -> bool {
    shape.parameters() <= MOST_WEIGHTS
}

/// Refines a model that was packed for the int8 engine from a checkpoint of these weights, all its matrices with
/// [`Coding::Rows`].
pub fn refine(packed: &mut Packed, weights: &Weights, steps: Steps) {
    let shape = weights.shape;
    let embedding = embedding(packed, &shape);
    let streams = Streams::new(weights, text::tell(packed));
    let mut x = streams.embeddings(&embedding);
    for (index, exact) in weights.layers.iter().enumerate() {
        let layer = refine_layer(&streams, &mut x, exact, steps);
        for (kind, matrix) in layer {
            replace(packed, kind, index, &matrix, Some(exact));
        }
    }
    // Not corrected: where it is the embedding as well, it would be a worse one.
    let input = streams.rmsnorm(&x, &weights.rms_final);
    let classifier = weights.classifier.as_ref().unwrap_or(&weights.embedding);
    let h = own_moments(&input.rounded, shape.dim);
    let classifier = steps.feedback(&h, shape.dim).round(&floats(classifier));
    replace(packed, Kind::Classifier, 0, &classifier, None);
    packed.header.payload_crc = CRC32_OF_MANY.checksum(cast_slice(&packed.payload));
}

/// Rounds a layer's matrices, and brings the residual streams `x` behind it.
fn refine_layer(streams: &Streams, x: &mut Pair, exact: &LayerWeights, steps: Steps) -> [(Kind, Rows); 4] {
    let shape = streams.shape();
    let Shape { dim, hidden_dim, .. } = *shape;
    let (q_dim, kv_dim) = (shape.q_dim(), shape.kv_dim());
    let mut rounded = exact.clone();

    let input = streams.rmsnorm(x, &exact.rms_att);
    let qkv = [&exact.wq[..], &exact.wk, &exact.wv].concat();
    let (w, h) = corrected(&qkv, dim, &input, None, steps);
    let wqkv = steps.feedback(&h, dim).round(&w);
    let numbers = wqkv.numbers();
    let (wq, rest) = numbers.split_at(q_dim * dim);
    let (wk, wv) = rest.split_at(kv_dim * dim);
    (rounded.wq, rounded.wk, rounded.wv) = (wq.to_vec(), wk.to_vec(), wv.to_vec());
    let heads = streams.attention(exact, &rounded, &input);

    let (w, h) = corrected(&exact.wo, q_dim, &heads, Some(x), steps);
    let wo = steps.feedback(&h, q_dim).round(&w);
    streams::add_products(x, &exact.wo, &wo.numbers(), &heads, q_dim);

    let input = streams.rmsnorm(x, &exact.rms_ffn);
    let (w, h) = corrected(&[&exact.w1[..], &exact.w3].concat(), dim, &input, None, steps);
    let mut w13 = steps.feedback(&h, dim).round(&w);
    let numbers = w13.numbers();
    let (w1, w3) = numbers.split_at(hidden_dim * dim);
    (rounded.w1, rounded.w3) = (w1.to_vec(), w3.to_vec());
    let mut hidden = streams.swiglu(exact, &rounded, &input);

    let (mut w, mut h) = corrected(&exact.w2, hidden_dim, &hidden, Some(x), steps);
    // w2's columns times factors, their inputs and w3's rows divided by them.
    let factors = match steps.factors {
        true => columns::balance(&w, &steps.feedback(&h, hidden_dim).left_over()),
        false => vec![1.0; hidden_dim],
    };
    for (h, factor) in h.chunks_exact_mut(hidden_dim).zip(&factors) {
        h.iter_mut().zip(&factors).for_each(|(h, other)| *h /= factor * other);
    }
    for row in w.chunks_exact_mut(hidden_dim) {
        row.iter_mut().zip(&factors).for_each(|(w, factor)| *w *= factor);
    }
    for hidden in hidden.rounded.chunks_exact_mut(hidden_dim) {
        hidden.iter_mut().zip(&factors).for_each(|(hidden, factor)| *hidden /= *factor as f32);
    }
    w13.scales[hidden_dim..].iter_mut().zip(&factors).for_each(|(scale, factor)| *scale /= factor);
    let w2 = steps.feedback(&h, hidden_dim).round(&w);
    streams::add_products(x, &exact.w2, &w2.numbers(), &hidden, hidden_dim);
    [(Kind::Wqkv, wqkv), (Kind::Wo, wo), (Kind::W13, w13), (Kind::W2, w2)]
}

/// A matrix W (rows, cols) that gives for the rounded input what is nearest to W's output for the exact one, and to
/// what `stream` lacks besides; and the moments of the rounded input.
fn corrected(
    w: &[f32],
    cols: usize,
    input: &Pair,
    stream: Option<&Pair>,
    steps: Steps,
) -> (Vec<f64>, Vec<f64>) {
    let rows = w.len() / cols;
    let h = own_moments(&input.rounded, cols);
    if !steps.correction {
        return (floats(w), h);
    }
    // What is missing: W · (exact - rounded), and the stream's exact - rounded.
    let missing = moments(&input.difference(), cols, &input.rounded, cols);
    let mut owed = match stream {
        Some(stream) => moments(&stream.difference(), rows, &input.rounded, cols),
        None => vec![0.0; rows * cols],
    };
    let mut damped = h.clone();
    add_to_diagonal(&mut damped, cols, RIDGE);
    let l = cholesky(&damped, cols);
    let mut w = floats(w);
    w.par_chunks_exact_mut(cols).zip(owed.par_chunks_exact_mut(cols)).for_each(|(w, owed)| {
        for (&w, missing) in w.iter().zip(missing.chunks_exact(cols)) {
            owed.iter_mut().zip(missing).for_each(|(owed, missing)| *owed += w * missing);
        }
        solve(&l, owed);
        w.iter_mut().zip(owed).for_each(|(w, owed)| *w += *owed);
    });
    (w, h)
}

fn floats(weights: &[f32]) -> Vec<f64> {
    weights.iter().map(|&weight| weight.into()).collect()
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

/// Puts a matrix in the place of the packed one.
fn replace(packed: &mut Packed, kind: Kind, layer: usize, rows: &Rows, of: Option<&LayerWeights>) {
    let header = packed.header.packed_bytes() - packed.header.payload_bytes();
    let entries = &mut packed.header.entries;
    let entry = entries.iter_mut().find(|entry| entry.kind == kind && usize::from(entry.layer) == layer);
    let entry = entry.expect("the shape's tensors");
    assert_eq!(entry.coding, Coding::Rows);
    let norm = match (kind, of) {
        (Kind::Wqkv, Some(layer)) => Some(&layer.rms_att),
        (Kind::W13, Some(layer)) => Some(&layer.rms_ffn),
        _ => None,
    };
    if let Some(norm) = norm {
        entry.fraction_bits = fraction_bits_after_norm(&[&rows.numbers()], norm);
    }
    let matrix: QuantizedMatrix = rows.quantized(entry.fraction_bits);
    entry.exponent = matrix.exponent;
    let bytes = [cast_slice(&matrix.scales), matrix.blocks()].concat();
    let at = (u64::from(entry.offset) - header) as usize;
    cast_slice_mut(&mut packed.payload)[at..][..bytes.len()].copy_from_slice(&bytes);
}
