//! The rounding of a small model's weights, refined by what the model does with them.
//!
//! In a model of some hundred thousand weights a row has few columns, and rounding each weight to the nearest leaves
//! the model as far from fp32 as can be measured. So the packer has the model tell itself stories ([`text`]), reads
//! them with the exact weights and with the rounded ones side by side ([`streams`]), and rounds matrix by matrix, front
//! to back. Each gets
//!
//! 1. what makes up for the errors before it, as far as its own inputs tell them: least squares ([`moments`]); wo
//!    and w2 write into the residual stream, and make up for all errors that are in it;
//! 2. for w2: factors for its columns, which w3's rows are divided by ([`columns`]);
//! 3. rounding with error feedback ([`round`]).
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
use moments::{add_to_diagonal, cholesky, moments, solve};
use round::Feedback;
use streams::{Pair, Streams};

/// Models of at most so many weights are refined: it takes seconds for each million.
const MOST_WEIGHTS: u64 = 1 << 20;
/// A share of the mean moment on top of each, so that least squares do not learn the stories by heart.
const RIDGE: f64 = 0.1;

/// Whether a model of this shape is so small that it is refined.
pub fn is_for(shape: &Shape) -> bool {
    shape.parameters() <= MOST_WEIGHTS
}

/// Refines a model that was packed for the int8 engine from a checkpoint of these weights, all its matrices with
/// [`Coding::Rows`].
pub fn refine(packed: &mut Packed, weights: &Weights) {
    let shape = weights.shape;
    let embedding = embedding(packed, &shape);
    let streams = Streams::new(weights, text::tell(packed));
    let mut x = streams.embeddings(&embedding);
    for (index, exact) in weights.layers.iter().enumerate() {
        let layer = refine_layer(&streams, &mut x, exact, &shape);
        for (kind, matrix) in layer {
            replace(packed, kind, index, &matrix, Some(exact));
        }
    }
    // Not corrected: where it is the embedding as well, it would be a worse one.
    let input = streams.rmsnorm(&x, &weights.rms_final);
    let classifier = weights.classifier.as_ref().unwrap_or(&weights.embedding);
    let classifier = Feedback::new(&of_rounded(&input, shape.dim), shape.dim).round(&floats(classifier));
    replace(packed, Kind::Classifier, 0, &classifier, None);
    packed.header.payload_crc = CRC32_OF_MANY.checksum(cast_slice(&packed.payload));
}

/// Rounds a layer's matrices, and brings the residual streams `x` behind it.
fn refine_layer(streams: &Streams, x: &mut Pair, exact: &LayerWeights, shape: &Shape) -> [(Kind, Rows); 4] {
    let Shape { dim, hidden_dim, .. } = *shape;
    let (q_dim, kv_dim) = (shape.q_dim(), shape.kv_dim());
    let mut rounded = exact.clone();

    let input = streams.rmsnorm(x, &exact.rms_att);
    let (w, feedback) = corrected(&[&exact.wq, &exact.wk, &exact.wv].map(Vec::as_slice).concat(), dim, &input, None);
    let wqkv = feedback.round(&w);
    let numbers = wqkv.numbers();
    let (wq, rest) = numbers.split_at(q_dim * dim);
    let (wk, wv) = rest.split_at(kv_dim * dim);
    (rounded.wq, rounded.wk, rounded.wv) = (wq.to_vec(), wk.to_vec(), wv.to_vec());
    let heads = streams.attention(exact, &rounded, &input);

    let (w, feedback) = corrected(&exact.wo, q_dim, &heads, Some(x));
    let wo = feedback.round(&w);
    streams::add_products(x, &exact.wo, &wo.numbers(), &heads, q_dim);

    let input = streams.rmsnorm(x, &exact.rms_ffn);
    let (w, feedback) = corrected(&[&exact.w1[..], &exact.w3].concat(), dim, &input, None);
    let mut w13 = feedback.round(&w);
    let numbers = w13.numbers();
    let (w1, w3) = numbers.split_at(hidden_dim * dim);
    (rounded.w1, rounded.w3) = (w1.to_vec(), w3.to_vec());
    let mut hidden = streams.swiglu(exact, &rounded, &input);

    let (mut w, feedback) = corrected(&exact.w2, hidden_dim, &hidden, Some(x));
    let factors = columns::balance(&w, &feedback.left_over());
    for row in w.chunks_exact_mut(hidden_dim) {
        row.iter_mut().zip(&factors).for_each(|(w, factor)| *w *= factor);
    }
    for hidden in hidden.rounded.chunks_exact_mut(hidden_dim) {
        hidden.iter_mut().zip(&factors).for_each(|(hidden, factor)| *hidden /= *factor as f32);
    }
    w13.scales[hidden_dim..].iter_mut().zip(&factors).for_each(|(scale, factor)| *scale /= factor);
    let w2 = Feedback::new(&of_rounded(&hidden, hidden_dim), hidden_dim).round(&w);
    streams::add_products(x, &exact.w2, &w2.numbers(), &hidden, hidden_dim);
    [(Kind::Wqkv, wqkv), (Kind::Wo, wo), (Kind::W13, w13), (Kind::W2, w2)]
}

/// The moments of what goes into a rounded matrix.
fn of_rounded(input: &Pair, cols: usize) -> Vec<f64> {
    moments(&input.rounded, cols, &input.rounded, cols)
}

/// A matrix W (rows, cols) that gives for the rounded input what is nearest to W's output for the exact one, and to
/// what `stream` lacks besides; and what its rounding needs to know.
fn corrected(w: &[f32], cols: usize, input: &Pair, stream: Option<&Pair>) -> (Vec<f64>, Feedback) {
    let rows = w.len() / cols;
    let mut h = of_rounded(input, cols);
    let feedback = Feedback::new(&h, cols);
    // What is missing: W · (exact - rounded), and the stream's exact - rounded.
    let missing = moments(&input.difference(), cols, &input.rounded, cols);
    let mut owed = match stream {
        Some(stream) => moments(&stream.difference(), rows, &input.rounded, cols),
        None => vec![0.0; rows * cols],
    };
    add_to_diagonal(&mut h, cols, RIDGE);
    let l = cholesky(&h, cols);
    let mut w = floats(w);
    for (w, owed) in w.chunks_exact_mut(cols).zip(owed.chunks_exact_mut(cols)) {
        for (&w, missing) in w.iter().zip(missing.chunks_exact(cols)) {
            owed.iter_mut().zip(missing).for_each(|(owed, missing)| *owed += w * missing);
        }
        solve(&l, owed);
        w.iter_mut().zip(owed).for_each(|(w, owed)| *w += *owed);
    }
    (w, feedback)
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
