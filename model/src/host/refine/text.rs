//! The texts that a model is refined with: what it writes itself.
use crate::engine::Engine;
use crate::fixed::ONE;
use crate::int8::Int8;
use crate::packed::Packed;
use crate::sampler::Sampler;
use crate::simd::Simd;
use rayon::prelude::*;

/// Has a model that was packed for the int8 engine write so many texts of so many tokens, no more than its context
/// holds. The integer engine writes the same ones on every host. `progress` is told of each token of how many.
///
/// # Panics
/// If the model was packed for another engine, or there is no memory.
pub fn write_texts(
    packed: &Packed,
    texts: usize,
    tokens: usize,
    progress: impl Fn(u64, u64) + Sync,
) -> Vec<Vec<u32>> {
    let progress = || progress(1, (texts * tokens) as u64);
    (1..=texts as u64).into_par_iter().map(|seed| write_text(packed, tokens, seed, progress)).collect()
}

/// A text of so many tokens, each taken with the chance that the model gives it; where it ends, another begins.
/// `progress` is called for each.
pub(super) fn write_text(packed: &Packed, tokens: usize, seed: u64, progress: impl Fn()) -> Vec<u32> {
    let text = packed.text().expect("the packer has checked the vocabulary");
    let model = packed.model().expect("a model for the int8 engine");
    let start = text.vocabulary.start().unwrap_or_default();
    let mut engine = Int8::new(model, tokens, Simd::best()).expect("there is memory");
    let sampler = Sampler::new(text.tables, text.shape.vocab_size, ONE, ONE, seed);
    let mut sampler = sampler.expect("there is memory");
    let mut written = Vec::with_capacity(tokens);
    let mut token = start;
    for pos in 0..tokens {
        written.push(token);
        token = sampler.sample(engine.forward(token, pos));
        if text.vocabulary.ends(token) {
            token = start;
        }
        progress();
    }
    written
}
