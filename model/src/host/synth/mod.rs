//! Random models: every shape can be run from end to end without a trained model.
//!
//! | what | where |
//! | --- | --- |
//! | shapes by name or by numbers | `shapes` |
//! | checkpoints in llama2.c's format | `checkpoint` |
//! | GGUF files | `gguf` |
//! | how a GGUF's tensors are stored | `file_type` |
//! | made-up tokenizers for them | `tokenizer` |
//!
//! Matrices keep the length of what they multiply; the two that write into the residual stream are
//! smaller in deep models; the classifier's logits spread by about 2. So a model behaves like one
//! before training, with clear differences between tokens.
//!
//! The same shape and seed give the same file everywhere: the numbers are llama2.c's random
//! numbers, scaled by a power of two and one square root.
mod checkpoint;
mod file_type;
mod gguf;
mod shapes;
mod tokenizer;

pub use checkpoint::write_checkpoint;
pub use file_type::FileType;
pub use gguf::{GgufSynthError, SyntheticGguf};
pub use shapes::{NAMED, NamedShape, ShapeTextError, names, parse_shape};
pub use tokenizer::{SmallVocabulary, Tokenizer, TokenizerKind};

use super::checkpoint::Weight;
use crate::sampler::{COIN_BITS, Random};
use crate::shape::Shape;

/// How a number from -1 to 1 becomes a number of a tensor.
fn number(weight: Weight, shape: &Shape) -> impl Fn(f32) -> f32 {
    let (middle, size) = match weight {
        Weight::RmsAtt | Weight::RmsFfn | Weight::RmsFinal => (1.0, 0.25),
        _ => (0.0, spread(weight, shape)),
    };
    move |uniform| middle + size * uniform
}

/// The largest magnitude of a matrix's weights. A uniform distribution's standard deviation is its
/// largest magnitude / √3.
fn spread(weight: Weight, shape: &Shape) -> f32 {
    let branches = 2.0 * shape.n_layers as f32;
    let variance = match weight {
        Weight::TokenEmbedding | Weight::Classifier => 4.0 / shape.dim as f32,
        Weight::Wo => 1.0 / (shape.q_dim() as f32 * branches),
        Weight::W2 => 1.0 / (shape.hidden_dim as f32 * branches),
        _ => 1.0 / shape.dim as f32,
    };
    (3.0 * variance).sqrt()
}

/// A number from -1 to 1.
fn uniform(random: &mut Random) -> f32 {
    random.coin() as f32 / (1 << (COIN_BITS - 1)) as f32 - 1.0
}
