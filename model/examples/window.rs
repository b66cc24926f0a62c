//! What a rolling window costs past its end: joined stories, read once from front to back, against
//! the same tokens predicted by an engine that has freshly read half a window before each.
//!
//! ```text
//! cargo run --release --package unreallm-model --features std --example window -- \
//!     CHECKPOINT TOKENIZER TEXT
//! ```
//!
//! docs/choices.md keeps the figures.
use model::engine::{Engine, EngineError, EngineKind};
use model::host::checkpoint::Checkpoint;
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

/// Every so many tokens one is predicted freshly, too.
const STRIDE: usize = 23;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [checkpoint, tokenizer, text] = &arguments[..] else {
        return Err("usage: window CHECKPOINT TOKENIZER TEXT".into());
    };
    let mut checkpoint = Checkpoint::open(File::open(checkpoint)?)?;
    let vocabulary = llama2c::pack(&read(tokenizer)?)?;
    let packed = pack_in_memory(EngineKind::Int8, &mut checkpoint, &vocabulary, "window")?;
    let vocabulary_of = packed.text()?.vocabulary;
    let mut tokens = Vec::new();
    for story in stories(&read_to_string(text)?) {
        tokens.extend(story_tokens(&vocabulary_of, story, usize::MAX)?.0);
    }
    let context = packed.header.shape.seq_len;
    println!("{} tokens, a window of {context}; nats a token past it", tokens.len());
    let int8 = || Int8::new(packed.model().expect("packed for it"), context, Simd::best());
    compare("int8", &tokens, context, int8)?;
    if packed.header.shape == Shape::STORIES260K {
        let packed = pack_in_memory(EngineKind::Sectorllm, &mut checkpoint, &vocabulary, "window")?;
        let weights = packed.sectorllm().expect("packed for it");
        compare("the 1356-byte mode", &tokens, context, || Sectorllm::new(weights, context))?;
    }
    Ok(())
}

/// Reads the tokens with a rolling window, and samples of them freshly.
fn compare<E: Engine>(
    name: &str,
    tokens: &[u32],
    context: usize,
    engine: impl Fn() -> Result<E, EngineError> + Sync,
) -> Result<(), EngineError> {
    let mut rolling = engine()?;
    let mut losses = Vec::new();
    for (pos, pair) in tokens.windows(2).enumerate() {
        losses.push(loss(rolling.forward(pair[0], pos), pair[1]));
    }
    let samples: Vec<usize> = (context..losses.len()).step_by(STRIDE).collect();
    let fresh = |&pos: &usize| {
        let mut engine = engine()?;
        let window = &tokens[pos + 1 - context / 2..=pos];
        for (at, &token) in window.iter().enumerate() {
            engine.forward(token, at);
        }
        // The last one again, as its logits are wanted.
        Ok(loss(engine.forward(window[window.len() - 1], window.len() - 1), tokens[pos + 1]))
    };
    let fresh: Vec<f64> = samples.par_iter().map(fresh).collect::<Result<_, EngineError>>()?;
    let mean = |values: &mut dyn Iterator<Item = f64>| {
        let (sum, count) = values.fold((0.0, 0), |(sum, count), value| (sum + value, count + 1));
        sum / f64::from(count)
    };
    let there = mean(&mut samples.iter().map(|&pos| losses[pos]));
    let fresh = mean(&mut fresh.into_iter());
    let all = mean(&mut losses[context..].iter().copied());
    let first = mean(&mut losses[..context].iter().copied());
    println!(
        "{name}: rolling {there:.4} at {} samples, freshly re-read {fresh:.4}, difference {:+.4}; rolling over all \
         {all:.4}, within the first window {first:.4}",
        samples.len(),
        there - fresh
    );
    Ok(())
}

/// -ln of the probability of `target`.
fn loss(logits: &[i32], target: u32) -> f64 {
    -log_softmax(logits.iter().map(|&logit| f64::from(logit) / 65536.0))[target as usize]
}
