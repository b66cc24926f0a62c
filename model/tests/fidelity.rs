//! int8 against fp32 over many small random shapes: no shape may be an outlier.
use model::engine::Engine;
use model::host::checkpoint::Checkpoint;
use model::host::fp32::{Fp32, Weights};
use model::host::pack::pack;
use model::host::synth::write_checkpoint;
use model::int8::Int8;
use model::matmul::Kernel;
use model::packed::{Model, PackedHeader};
use model::shape::Shape;
use rayon::prelude::*;
use std::io::Cursor;

/// How many shapes are tried.
const SHAPES: u64 = 1000;
/// The furthest that a shape may be from the median.
const OUTLIER: f64 = 4.0;

/// A tokenizer of empty pieces.
fn tokenizer(vocab_size: usize) -> Vec<u8> {
    vec![0; 4 + 8 * vocab_size]
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
        vocab_size: 3 + below(300),
        seq_len: 1 + below(40),
        shared_classifier: below(2) == 0,
    };
    assert_eq!(shape.check(), Ok(()));
    shape
}

/// Distance of int8's logits from fp32's, as a share of fp32's spread, over a whole context.
fn relative_error(shape: &Shape, seed: u64) -> f64 {
    let mut file = Cursor::new(Vec::new());
    write_checkpoint(shape, seed, &mut file).unwrap();
    let mut checkpoint = Checkpoint::open(file).unwrap();
    let weights = Weights::read(&mut checkpoint).unwrap();
    let mut packed = Cursor::new(Vec::new());
    pack(&mut checkpoint, &tokenizer(shape.vocab_size), "random", &mut packed, |_, _| {}).unwrap();
    let packed = packed.into_inner();
    let mut source = &packed[..];
    let header = PackedHeader::read(&mut source).unwrap();
    let model = Model::load(&header, &mut source).unwrap();
    let mut fp32 = Fp32::new(&weights, shape.seq_len);
    let mut int8 = Int8::new(&model, shape.seq_len, Kernel::best()).unwrap();
    let (mut error, mut power) = (0.0, 0.0);
    for pos in 0..shape.seq_len {
        let token = (pos * 7 + 1) % shape.vocab_size;
        let exact = fp32.forward(token as u32, pos).unwrap();
        let got = int8.forward(token as u32, pos).unwrap();
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
