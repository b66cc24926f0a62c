//! What each choice of the int8 engine costs, in nats a token above fp32, on a text.
//!
//! ```text
//! cargo run --release --package unreallm-model --features std --example choices -- \
//!     CHECKPOINT TOKENIZER TEXT
//! ```
//!
//! Each line changes one thing in the fp32 reference and leaves the rest exact. The last lines are
//! the engines as they are. docs/choices.md keeps the table and what follows from it.
use model::engine::{Engine, EngineKind};
use model::host::checkpoint::Checkpoint;
use model::host::fp32::{Exact, Fp32, Rounding, Weights};
use model::host::pack::pack_in_memory;
use model::host::score::{log_softmax, stories, story_tokens};
use model::host::vocabulary::llama2c;
use model::int8::Int8;
use model::sectorllm::Sectorllm;
use model::shape::Shape;
use model::simd::Simd;
use rayon::prelude::*;
use std::error::Error;
use std::fs::{File, read, read_to_string};

/// Roundings in the forward pass; 0 switches one off.
#[derive(Clone, Copy, Default)]
struct Choices {
    /// Bits of a matrix input, with one scale a vector.
    input_bits: u32,
    /// Values of a matrix input that share a scale; 0 for all.
    input_group: usize,
    /// Bits of queries, keys and values, with a scale for each head and position.
    head_bits: u32,
    /// Points of the exp table in a power of two, and whether lines join them.
    exp: (f32, bool),
    /// Points of the logistic function's table in a unit, and whether lines join them.
    sigmoid: (f32, bool),
    /// Bits of the reciprocal square root.
    rsqrt_bits: i32,
}

impl Rounding for Choices {
    fn input(&self, x: &mut [f32]) {
        let group = if self.input_group == 0 { x.len() } else { self.input_group };
        x.chunks_mut(group).for_each(|group| round(group, self.input_bits));
    }

    fn head(&self, x: &mut [f32]) {
        round(x, self.head_bits);
    }

    fn exp(&self, x: f32) -> f32 {
        table(self.exp, -x * std::f32::consts::LOG2_E, |x| (-x).exp2())
    }

    fn sigmoid(&self, x: f32) -> f32 {
        let positive = table(self.sigmoid, x.abs(), |x| 1.0 / (1.0 + (-x).exp()));
        if x < 0.0 { 1.0 - positive } else { positive }
    }

    fn rsqrt(&self, x: f32) -> f32 {
        let exact = 1.0 / x.sqrt();
        if self.rsqrt_bits == 0 {
            return exact;
        }
        let unit = 2f32.powi(exact.log2().floor() as i32 + 1 - self.rsqrt_bits);
        (exact / unit).floor() * unit
    }
}

/// `f(x)` out of a table with so many points in a unit.
fn table((points, lines): (f32, bool), x: f32, f: impl Fn(f32) -> f32) -> f32 {
    if points == 0.0 {
        return f(x);
    }
    let low = (x * points).floor();
    let (a, b) = (f(low / points), f((low + 1.0) / points));
    if lines { a + (b - a) * (x * points - low) } else { a }
}

/// Rounds to signed integers of `bits` bits with one scale.
fn round(x: &mut [f32], bits: u32) {
    let max = x.iter().fold(0.0f32, |max, x| max.max(x.abs()));
    if bits == 0 || max == 0.0 {
        return;
    }
    let scale = max / ((1 << (bits - 1)) - 1) as f32;
    x.iter_mut().for_each(|x| *x = (*x / scale).round_ties_even() * scale);
}

/// Weights rounded to `bits` bits; matrices that share their input are joined where a scale goes
/// over a whole tensor.
fn rounded(weights: &Weights, bits: u32, scope: Scope) -> Weights {
    let mut weights = weights.clone();
    weights.change_matrices(|matrices, cols| match scope {
        Scope::Tensor => {
            let mut all = matrices.iter().flat_map(|matrix| matrix.iter().copied()).collect::<Vec<_>>();
            round(&mut all, bits);
            let mut all = all.into_iter();
            matrices
                .iter_mut()
                .flat_map(|matrix| matrix.iter_mut())
                .for_each(|w| *w = all.next().unwrap_or(*w));
        }
        Scope::Row => {
            matrices.iter_mut().flat_map(|matrix| matrix.chunks_mut(cols)).for_each(|row| round(row, bits));
        }
        Scope::Group(size) => {
            let rows = matrices.iter_mut().flat_map(|matrix| matrix.chunks_mut(cols));
            rows.flat_map(|row| row.chunks_mut(size)).for_each(|group| round(group, bits));
        }
    });
    weights
}

/// What shares a weight scale.
#[derive(Clone, Copy)]
enum Scope {
    Tensor,
    Row,
    Group(usize),
}

fn main() -> Result<(), Box<dyn Error>> {
    let [_, checkpoint, tokenizer, text] = &std::env::args().collect::<Vec<_>>()[..] else {
        return Err("usage: choices CHECKPOINT TOKENIZER TEXT".into());
    };
    let mut checkpoint = Checkpoint::open(File::open(checkpoint)?)?;
    let weights = Weights::read(&mut checkpoint)?;
    let vocabulary = llama2c::pack(&read(tokenizer)?)?;
    let packed = pack_in_memory(EngineKind::Int8, &mut checkpoint, &vocabulary, "choices")?;
    let int8 = || packed.model().expect("packed for it");
    let vocabulary_of = packed.text()?.vocabulary;
    let context = weights.shape.seq_len;
    let text = read_to_string(text)?;
    let tokens: Vec<Vec<u32>> = stories(&text)
        .into_iter()
        .map(|story| Ok(story_tokens(&vocabulary_of, story, context)?.0))
        .collect::<Result<_, Box<dyn Error>>>()?;

    let exact = loss(&tokens, || {
        let mut engine = Fp32::with_rounding(&weights, context, Exact);
        move |token, pos| floats(engine.forward(token, pos))
    });
    println!("fp32: {exact:.4} nats/token\n");
    let simulate = |name: &str, weights: &Weights, choices: Choices| {
        let nats = loss(&tokens, || {
            let mut engine = Fp32::with_rounding(weights, context, choices);
            move |token, pos| floats(engine.forward(token, pos))
        });
        println!("| {name} | {:+.4} |", nats - exact);
    };
    let none = Choices::default();
    for (name, bits, scope) in [
        ("weights of 8 bits, a scale per tensor", 8, Scope::Tensor),
        ("weights of 8 bits, a scale per row", 8, Scope::Row),
        ("weights of 8 bits, a scale per 32", 8, Scope::Group(32)),
        ("weights of 7 bits, a scale per row", 7, Scope::Row),
        ("weights of 6 bits, a scale per row", 6, Scope::Row),
    ] {
        simulate(name, &rounded(&weights, bits, scope), none);
    }
    for input_bits in [7, 8, 10, 12] {
        let name = format!("matrix inputs of {input_bits} bits, a scale a vector");
        simulate(&name, &weights, Choices { input_bits, ..none });
    }
    simulate(
        "matrix inputs of 8 bits, a scale per 32",
        &weights,
        Choices { input_bits: 8, input_group: 32, ..none },
    );
    for head_bits in [6, 8, 10, 12] {
        let name = format!("queries, keys, values of {head_bits} bits");
        simulate(&name, &weights, Choices { head_bits, ..none });
    }
    for exp in [(16.0, false), (64.0, false), (16.0, true), (256.0, true)] {
        simulate(&format!("exp: {}", table_name(exp, "power of two")), &weights, Choices { exp, ..none });
    }
    for sigmoid in [(8.0, false), (64.0, false), (8.0, true), (32.0, true)] {
        simulate(&format!("SiLU: {}", table_name(sigmoid, "unit")), &weights, Choices { sigmoid, ..none });
    }
    for rsqrt_bits in [6, 8, 12, 16] {
        let name = format!("reciprocal square root of {rsqrt_bits} bits");
        simulate(&name, &weights, Choices { rsqrt_bits, ..none });
    }
    let int8 = loss(&tokens, || {
        let mut engine = Int8::new(int8(), context, Simd::best()).expect("there is memory");
        move |token, pos| fixed(engine.forward(token, pos))
    });
    println!("| **the int8 engine** | {:+.4} |", int8 - exact);
    if weights.shape == Shape::STORIES260K {
        let packed = pack_in_memory(EngineKind::Sectorllm, &mut checkpoint, &vocabulary, "choices")?;
        let sectorllm = || packed.sectorllm().expect("packed for it");
        let sector = loss(&tokens, || {
            let mut engine = Sectorllm::new(sectorllm(), context).expect("the shape is right");
            move |token, pos| fixed(engine.forward(token, pos))
        });
        println!("| **the 1356-byte mode** | {:+.4} |", sector - exact);
    }
    Ok(())
}

fn table_name((points, lines): (f32, bool), unit: &str) -> String {
    let lines = if lines { "with lines between" } else { "no lines" };
    format!("{points} points a {unit}, {lines}")
}

fn floats(logits: &[f32]) -> Vec<f64> {
    log_softmax(logits.iter().map(|&logit| logit.into()))
}

fn fixed(logits: &[i32]) -> Vec<f64> {
    log_softmax(logits.iter().map(|&logit| f64::from(logit) / 65536.0))
}

/// Mean loss over all stories; `new` makes an engine: (token, position) to ln of probabilities.
fn loss<E: FnMut(u32, usize) -> Vec<f64>>(tokens: &[Vec<u32>], new: impl Fn() -> E + Sync) -> f64 {
    let (sum, count) = tokens
        .par_iter()
        .map(|tokens| {
            let mut engine = new();
            let story = tokens.windows(2).enumerate();
            let nats: f64 = story.map(|(pos, pair)| -engine(pair[0], pos)[pair[1] as usize]).sum();
            (nats, tokens.len() - 1)
        })
        .reduce(|| (0.0, 0), |a, b| (a.0 + b.0, a.1 + b.1));
    sum / count as f64
}
