//! The text that a model is refined with: what it tells itself.
use crate::engine::Engine;
use crate::fixed::ONE;
use crate::int8::Int8;
use crate::packed::Packed;
use crate::sampler::Sampler;
use crate::simd::Simd;
use rayon::prelude::*;

/// How many stories it tells, each by other chances; more where its context makes them shorter.
const STORIES: usize = 24;
/// Tokens of a story at most: more of them take the time of their attention.
const TOKENS: usize = 200;

/// Stories by the integer engine, which tells the same on every host: tokens from the one that a text starts from
/// to before the one that ends it.
pub fn tell(packed: &Packed) -> Vec<Vec<u32>> {
    let text = packed.text().expect("the packer has checked the vocabulary");
    let model = packed.model().expect("a model for the int8 engine");
    let context = model.shape.seq_len.min(TOKENS);
    let story = |seed| {
        let mut engine = Int8::new(model.clone(), context, Simd::best()).expect("there is memory");
        let mut sampler =
            Sampler::new(text.tables, model.shape.vocab_size, ONE, 0, seed).expect("there is memory");
        let mut tokens = vec![text.vocabulary.start().unwrap_or_default()];
        while tokens.len() < context {
            let pos = tokens.len() - 1;
            let token = sampler.sample(engine.forward(tokens[pos], pos));
            if text.vocabulary.ends(token) {
                break;
            }
            tokens.push(token);
        }
        tokens
    };
    let stories = STORIES * TOKENS / context;
    (1..=stories as u64).into_par_iter().map(story).collect()
}
