//! The text that a model is refined with: what it tells itself.
use crate::fixed::ONE;
use crate::int8::Int8;
use crate::packed::Packed;
use crate::sampler::Sampler;
use crate::simd::Simd;
use rayon::prelude::*;

/// How many stories it tells, each by other chances. With half of them the outcome is a tenth further from fp32,
/// with twice as many a twentieth nearer.
const STORIES: u64 = 16;
/// Tokens of a story at most.
const TOKENS: usize = 512;

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
            let token = sampler.sample(crate::engine::Engine::forward(&mut engine, tokens[pos], pos));
            if text.vocabulary.ends(token) {
                break;
            }
            tokens.push(token);
        }
        tokens
    };
    (1..=STORIES).into_par_iter().map(story).collect()
}
