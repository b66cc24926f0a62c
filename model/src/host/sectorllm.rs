//! The weights of the 1356-byte mode, made from a checkpoint as sectorllm's own tools make them.
use super::checkpoint::{Checkpoint, CheckpointError, Weight};
use crate::sectorllm::{EXP_ENTRIES, SILU_ENTRIES, SectorllmWeights};
use crate::shape::Shape;
use std::io::{Read, Seek};

/// The bytes of [`SectorllmWeights`], in the order of its fields. The checkpoint must have the shape
/// of stories260K.
pub fn sectorllm_bytes<R: Read + Seek>(checkpoint: &mut Checkpoint<R>) -> Result<Vec<u8>, CheckpointError> {
    let shape = checkpoint.shape();
    let layers = shape.n_layers;
    let has_turns = checkpoint.has(Weight::FreqCos);
    let mut all = |weight| -> Result<Vec<Vec<f32>>, CheckpointError> {
        let times = weight_times(weight, layers);
        (0..times).map(|layer| checkpoint.read(weight, layer)).collect()
    };
    let mut words = Vec::new();
    for weight in [Weight::TokenEmbedding, Weight::RmsAtt, Weight::RmsFfn, Weight::RmsFinal] {
        words.extend(all(weight)?.concat().into_iter().map(|w| fix(w.into())));
    }
    let (cos, sin) = if has_turns {
        (all(Weight::FreqCos)?.concat(), all(Weight::FreqSin)?.concat())
    } else {
        turns(&shape)
    };
    words.extend(cos.iter().zip(&sin).flat_map(|(&cos, &sin)| [fix(cos.into()), fix(sin.into())]));
    words.extend((0..EXP_ENTRIES).map(|i| fix((-(i as f64) / 64.0).exp())));
    words.extend((0..SILU_ENTRIES).map(|i| {
        let x = i as f64 / 64.0 - 8.0;
        fix(x / (1.0 + (-x).exp()))
    }));
    let mut bytes = Vec::new();
    for parts in
        [&[Weight::Wq, Weight::Wk, Weight::Wv][..], &[Weight::Wo], &[Weight::W1, Weight::W3], &[Weight::W2]]
    {
        let parts = parts.iter().map(|&weight| all(weight)).collect::<Result<Vec<_>, _>>()?;
        let (scale, weights) = quantize(&parts);
        words.push(scale);
        bytes.extend(weights);
    }
    let mut packed: Vec<u8> = bytemuck::cast_slice(&words).to_vec();
    packed.extend(bytemuck::cast_slice(&bytes));
    debug_assert_eq!(packed.len(), SectorllmWeights::PACKED_BYTES);
    Ok(packed)
}

/// RoPE's cosines and sines as llama2.c's export calculates them, in fp32: version 1 checkpoints do
/// not carry them.
fn turns(shape: &Shape) -> (Vec<f32>, Vec<f32>) {
    let head_size = shape.head_size;
    let angle =
        |pos: usize, pair: usize| pos as f32 * (1.0 / 10_000f32.powf((2 * pair) as f32 / head_size as f32));
    let angles = (0..shape.seq_len).flat_map(|pos| (0..head_size / 2).map(move |pair| angle(pos, pair)));
    angles.map(|angle| (angle.cos(), angle.sin())).unzip()
}

/// How many layers have a weight tensor.
fn weight_times(weight: Weight, layers: usize) -> usize {
    match weight {
        Weight::TokenEmbedding | Weight::RmsFinal | Weight::FreqCos | Weight::FreqSin => 1,
        _ => layers,
    }
}

/// A number as Q16.16, half to even.
fn fix(x: f64) -> i32 {
    (x * 65536.0).round_ties_even() as i32
}

/// Rounds matrices (part, layer, numbers) to int8 with one scale for all of them. The parts come
/// out one after the other within each layer.
fn quantize(parts: &[Vec<Vec<f32>>]) -> (i32, Vec<i8>) {
    let all = parts.iter().flatten().flatten();
    let max = all.fold(1e-9, |max: f64, &w| max.max(f64::from(w).abs()));
    let round = |&w: &f32| (f64::from(w) / max * 127.0).round_ties_even().clamp(-127.0, 127.0) as i8;
    let layers = 0..parts[0].len();
    let weights = layers.flat_map(|layer| parts.iter().flat_map(move |part| part[layer].iter().map(round)));
    (fix(max / 127.0), weights.collect())
}
