//! int8 against fp32 over many small random shapes: no shape may be an outlier.
use model::engine::{Engine, EngineKind};
use model::host::checkpoint::{Checkpoint, Weight, llama2c::ORDER_V0};
use model::host::fp32::{Fp32, Weights};
use model::host::pack::pack_in_memory;
use model::host::synth::write_checkpoint;
use model::host::vocabulary::llama2c;
use model::int8::Int8;
use model::packed::Packed;
use model::shape::Shape;
use model::simd::Simd;
use rayon::prelude::*;
use std::io::Cursor;

/// How many shapes are tried.
const SHAPES: u64 = 1000;
/// The furthest that a shape may be from the median.
const OUTLIER: f64 = 4.0;

/// A vocabulary of empty pieces.
fn vocabulary(vocab_size: usize) -> Vec<u32> {
    llama2c::pack(&vec![0; 4 + 8 * vocab_size]).unwrap()
}

/// A small shape by seed: heads of 2 to 32 values, hidden sizes and vocabularies that fill no
/// tile, one head, one key/value head, a sequence of one.
fn random_shape(seed: u64) -> Shape {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut below = |n: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % n) as usize
    };
    let head_size = 2 * (1 + below(16));
    let n_kv_heads = 1 + below(4);
    let n_heads = n_kv_heads * (1 + below(3));
    let shape = Shape {
        dim: n_heads * head_size,
        hidden_dim: 1 + below(200),
        n_layers: 1 + below(4),
        n_heads,
        n_kv_heads,
        head_size,
        vocab_size: 3 + below(300),
        seq_len: 1 + below(40),
        shared_classifier: below(2) == 0,
    };
    assert_eq!(shape.check(), Ok(()));
    shape
}

/// Both sides of a checkpoint.
fn load(file: Vec<u8>) -> (Weights, Packed) {
    let mut checkpoint = Checkpoint::open(Cursor::new(file)).unwrap();
    let weights = Weights::read(&mut checkpoint).unwrap();
    let vocabulary = vocabulary(weights.shape.vocab_size);
    (weights, pack_in_memory(EngineKind::Int8, &mut checkpoint, &vocabulary, "random").unwrap())
}

/// Multiplies a tensor of a version 0 checkpoint by a number, in all layers.
fn multiply(file: &mut [u8], shape: &Shape, weight: Weight, factor: f32) {
    let mut at = 28; // the header
    for other in ORDER_V0 {
        let (times, numbers) = other.size(shape);
        let end = at + 4 * times * numbers;
        if other == weight {
            for number in file[at..end].as_chunks_mut::<4>().0 {
                *number = (f32::from_le_bytes(*number) * factor).to_le_bytes();
            }
        }
        at = end;
    }
}

/// The logits' bits of a few positions.
fn int8_logits(file: Vec<u8>) -> Vec<i32> {
    let (_, packed) = load(file);
    let model = packed.model().unwrap();
    let seq_len = model.shape.seq_len;
    let mut int8 = Int8::new(model, seq_len, Simd::best()).unwrap();
    (0..8).flat_map(|pos| int8.forward(pos as u32 + 3, pos).to_vec()).collect()
}

#[test]
fn the_size_of_weights_does_not_matter_where_a_norm_makes_up_for_it() {
    let shape = Shape { vocab_size: 300, seq_len: 8, ..Shape::STORIES260K };
    let mut file = Vec::new();
    write_checkpoint(&shape, 5, &mut file).unwrap();
    let logits = int8_logits(file.clone());
    for factor in [2f32.powi(-40), 2f32.powi(40)] {
        let mut scaled = file.clone();
        for weight in [Weight::Wq, Weight::Wk, Weight::Wv, Weight::W1, Weight::W3] {
            multiply(&mut scaled, &shape, weight, factor);
        }
        for weight in [Weight::RmsAtt, Weight::RmsFfn] {
            multiply(&mut scaled, &shape, weight, 1.0 / factor);
        }
        assert_eq!(int8_logits(scaled), logits, "weights times {factor}, norm weights divided by it");
    }
}

/// Distance of int8's logits from fp32's, as a share of fp32's spread, over a whole context.
fn relative_error(shape: &Shape, seed: u64) -> f64 {
    let mut file = Vec::new();
    write_checkpoint(shape, seed, &mut file).unwrap();
    let (weights, packed) = load(file);
    let mut fp32 = Fp32::new(&weights, shape.seq_len);
    let mut int8 = Int8::new(packed.model().unwrap(), shape.seq_len, Simd::best()).unwrap();
    let (mut error, mut power) = (0.0, 0.0);
    for pos in 0..shape.seq_len {
        let token = (pos * 7 + 1) % shape.vocab_size;
        let exact = fp32.forward(token as u32, pos);
        let got = int8.forward(token as u32, pos);
        for (&exact, &got) in exact.iter().zip(got) {
            error += (f64::from(got) / 65536.0 - f64::from(exact)).powi(2);
            power += f64::from(exact).powi(2);
        }
    }
    (error / power).sqrt()
}

#[test]
fn no_random_shape_is_an_outlier() {
    let mut errors: Vec<(f64, u64)> =
        (1..=SHAPES).into_par_iter().map(|seed| (relative_error(&random_shape(seed), seed), seed)).collect();
    errors.sort_by(|a, b| a.0.total_cmp(&b.0));
    let median = errors[errors.len() / 2].0;
    let (worst, seed) = errors[errors.len() - 1];
    println!("relative error of logits: median {median:.5}, worst {worst:.5} (seed {seed})");
    assert!(median < 0.02, "{median}");
    assert!(worst < OUTLIER * median, "{worst} at {} (seed {seed})", random_shape(seed));
}
