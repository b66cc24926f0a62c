//! What each choice of the int8 engine costs on a text, in nats a token above fp32 and as KL divergence from fp32.
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
use model::host::fp32::{Fp32, Rounding, Weights};
use model::host::pack::pack_in_memory;
use model::host::refine::requested::{self, TEXTS, text_tokens};
use model::host::refine::small::{self, Steps};
use model::host::refine::write_texts;
use model::host::score::{log_softmax, reference_reads, stories, story_tokens};
use model::host::vocabulary::llama2c;
use model::int8::Int8;
use model::packed::{Kind, Packed};
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

/// The same with the scale, at most as large, that leaves the least error.
fn round_fitted(x: &mut [f32], bits: u32) {
    let limit = ((1 << (bits - 1)) - 1) as f32;
    let largest = x.iter().fold(0.0f32, |max, x| max.max(x.abs())) / limit;
    let rounded = |scale: f32| -> Vec<f32> {
        x.iter().map(|x| (x / scale).round_ties_even().clamp(-limit, limit) * scale).collect()
    };
    let error = |scale: f32| -> f32 {
        rounded(scale).iter().zip(&*x).map(|(rounded, x)| (rounded - x).powi(2)).sum()
    };
    let scales = (0..50).map(|step| largest * (1.0 - 0.01 * step as f32));
    let best = scales.min_by(|&a, &b| error(a).total_cmp(&error(b))).unwrap_or(largest);
    if best > 0.0 {
        let rounded = rounded(best);
        x.copy_from_slice(&rounded);
    }
}

/// Weights of which `kinds` are rounded to `bits` bits; matrices that share their input are joined where a scale goes
/// over a whole tensor.
fn rounded(weights: &Weights, bits: u32, scope: Scope, kinds: &[Kind]) -> Weights {
    let mut weights = weights.clone();
    weights.separate_classifier();
    weights.change_matrices(|kind, matrices, cols| match scope {
        _ if !kinds.contains(&kind) => {}
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
        Scope::FittedRow => {
            let rows = matrices.iter_mut().flat_map(|matrix| matrix.chunks_mut(cols));
            rows.for_each(|row| round_fitted(row, bits));
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
    /// A row, with the scale of the least squares instead of the largest weight's.
    FittedRow,
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
    let vocabulary_of = packed.text()?.vocabulary;
    let context = weights.shape.seq_len;
    let text = read_to_string(text)?;
    let tokens: Vec<Vec<u32>> = stories(&text)
        .into_iter()
        .map(|story| Ok(story_tokens(&vocabulary_of, story, context)?.0))
        .collect::<Result<_, Box<dyn Error>>>()?;

    let truth: Vec<Vec<Vec<f64>>> = tokens
        .par_iter()
        .map(|tokens| {
            let mut all = Vec::new();
            reference_reads(&mut Fp32::new(&weights, context), tokens, |ln, _| all.push(ln.to_vec()));
            all
        })
        .collect();
    let measure = Measure { tokens: &tokens, truth: &truth };
    let exact = measure.exact();
    println!("fp32: {exact:.4} nats/token\n");
    let say = |name: &str, (nats, kl): (f64, f64)| {
        println!("| {name} | {:+.4} | {:.3} |", nats - exact, 1e4 * kl);
    };
    let simulate = |name: &str, weights: &Weights, choices: Choices| {
        let cost = measure.cost(|| {
            let mut engine = Fp32::with_rounding(weights, context, choices);
            move |token, pos| floats(engine.forward(token, pos))
        });
        say(name, cost);
    };
    let none = Choices::default();
    for (name, bits, scope) in [
        ("weights of 8 bits, a scale per tensor", 8, Scope::Tensor),
        ("weights of 8 bits, a scale per row", 8, Scope::Row),
        ("weights of 8 bits, a scale per 32", 8, Scope::Group(32)),
        ("weights of 7 bits, a scale per row", 7, Scope::Row),
        ("weights of 6 bits, a scale per row", 6, Scope::Row),
        ("weights of 8 bits, a scale per row by least squares", 8, Scope::FittedRow),
        ("weights of 8 bits, a scale per 16", 8, Scope::Group(16)),
        ("weights of 9 bits, a scale per row", 9, Scope::Row),
        ("weights of 10 bits, a scale per row", 10, Scope::Row),
    ] {
        simulate(name, &rounded(&weights, bits, scope, &MATRICES), none);
    }
    for kind in MATRICES {
        let name = format!("weights of 8 bits, a scale per row, {} only", kind.name());
        simulate(&name, &rounded(&weights, 8, Scope::Row, &[kind]), none);
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
    let engine = |name: &str, packed: &Packed| {
        let cost = measure.cost(|| {
            let model = packed.model().expect("packed for it");
            let mut engine = Int8::new(model, context, Simd::best()).expect("there is memory");
            move |token, pos| fixed(engine.forward(token, pos))
        });
        say(name, cost);
    };
    let pack = |checkpoint: &mut _, engine| pack_in_memory(engine, checkpoint, &vocabulary, "choices");
    engine("the int8 engine, weights rounded to the nearest", &packed);
    let none = Steps { correction: false, factors: false, feedback: false };
    if small::is_for(&weights.shape) {
        for (name, steps) in [
            ("each row's scale by its input", none),
            ("w2's columns with factors", Steps { factors: true, ..none }),
            ("error feedback", Steps { feedback: true, ..none }),
            ("errors made up for behind them", Steps { correction: true, ..none }),
            ("error feedback, errors made up for behind them", Steps { factors: false, ..Steps::ALL }),
            ("all of these", Steps::ALL),
        ] {
            let mut packed = pack(&mut checkpoint, EngineKind::Int8)?;
            small::refine(&mut packed, &weights, steps);
            engine(&format!("the int8 engine, weights refined: {name}"), &packed);
        }
    }
    let mut requested = pack(&mut checkpoint, EngineKind::Int8)?;
    let texts = write_texts(&requested, TEXTS, text_tokens(context), |_, _| {});
    requested::refine(&mut requested, &mut checkpoint, &texts, |_, _| {})?;
    engine("the int8 engine, weights refined on request, as larger models are", &requested);
    if weights.shape == Shape::STORIES260K {
        let packed = pack(&mut checkpoint, EngineKind::Sectorllm)?;
        let sector = measure.cost(|| {
            let weights = packed.sectorllm().expect("packed for it");
            let mut engine = Sectorllm::new(weights, context).expect("the shape is right");
            move |token, pos| fixed(engine.forward(token, pos))
        });
        say("the 1356-byte mode", sector);
    }
    Ok(())
}

/// All matrices.
const MATRICES: [Kind; 6] = [Kind::Embedding, Kind::Wqkv, Kind::Wo, Kind::W13, Kind::W2, Kind::Classifier];

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

/// The stories, and ln of the probabilities that fp32 gives at each of their positions.
struct Measure<'t> {
    tokens: &'t [Vec<u32>],
    truth: &'t [Vec<Vec<f64>>],
}

impl Measure<'_> {
    /// fp32's mean loss.
    fn exact(&self) -> f64 {
        let stories = self.tokens.iter().zip(self.truth);
        let nats = stories.flat_map(|(tokens, truth)| {
            tokens[1..].iter().zip(truth).map(|(&token, ln)| -ln[token as usize])
        });
        nats.sum::<f64>() / self.truth.iter().map(Vec::len).sum::<usize>() as f64
    }

    /// Mean loss over all stories and mean KL divergence from fp32; `new` makes an engine: (token, position) to ln
    /// of probabilities.
    fn cost<E: FnMut(u32, usize) -> Vec<f64>>(&self, new: impl Fn() -> E + Sync) -> (f64, f64) {
        let stories = self.tokens.par_iter().zip(self.truth).map(|(tokens, truth)| {
            let mut engine = new();
            let (mut nats, mut kl) = (0.0, 0.0);
            for (pos, (pair, truth)) in tokens.windows(2).zip(truth).enumerate() {
                let guess = engine(pair[0], pos);
                nats -= guess[pair[1] as usize];
                kl += truth.iter().zip(&guess).map(|(p, q)| p.exp() * (p - q)).sum::<f64>();
            }
            (nats, kl, truth.len())
        });
        let (nats, kl, count) = stories.reduce(|| (0.0, 0.0, 0), |a, b| (a.0 + b.0, a.1 + b.1, a.2 + b.2));
        (nats / count as f64, kl / count as f64)
    }
}
