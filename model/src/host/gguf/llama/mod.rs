//! What a GGUF of the architecture `llama` says about the model: its sizes, its norm's epsilon and
//! its RoPE. What would change the answer and is not run here is refused by name.
//!
//! Source of keys and defaults: llama.cpp's src/llama-model.cpp and gguf-py's constants.py.
mod error;
mod keys;
mod tensors;

pub use error::LlamaError;

use super::error::GgufError;
use super::metadata::{Metadata, needed};
use super::reader::Gguf;
use crate::shape::{MAX_LENGTH, Shape};

/// The only architecture that is read.
const ARCHITECTURE: &str = "llama";
/// RoPE's base where the metadata does not name one.
const DEFAULT_ROPE_BASE: f32 = 10_000.0;
/// The tensor of RoPE's divisors, one for each frequency: how Llama 3's scaling arrives.
pub const ROPE_FREQS: &str = "rope_freqs.weight";
/// The classifier's tensor; without it the embedding is the classifier.
pub const OUTPUT: &str = "output.weight";

/// A Llama model, by its metadata.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct LlamaConfig {
    /// Longest sequence that the model was trained for.
    pub context_length: usize,
    /// Length of the residual stream.
    pub embedding_length: usize,
    /// Number of transformer layers.
    pub block_count: usize,
    /// Length of the feed-forward layer's inner vector.
    pub feed_forward_length: usize,
    /// Number of query heads.
    pub head_count: usize,
    /// Number of key/value heads; query heads share them in groups.
    pub head_count_kv: usize,
    /// Values in one head's query, key or value; even. It need not be embedding_length / head_count.
    pub head_size: usize,
    /// Number of tokens in the vocabulary.
    pub vocab_size: usize,
    /// What RMSNorm adds to the mean of squares.
    pub epsilon: f32,
    /// RoPE's base: pair i of a head turns by position / (base^(2i / head_size) * factor).
    pub rope_base: f32,
    /// Linear scaling: all of RoPE's angles are divided by it. 1 without scaling.
    pub rope_factor: f32,
    /// Whether [`ROPE_FREQS`] is there: head_size / 2 divisors, one for each pair's angle.
    pub rope_freqs: bool,
    /// Whether the classifier is the embedding, as [`OUTPUT`] is not there.
    pub tied: bool,
}

impl LlamaConfig {
    /// Reads the metadata and checks that the tensors are those of such a model, each of its shape.
    pub fn of(gguf: &Gguf) -> Result<Self, LlamaError> {
        let metadata = &gguf.metadata;
        check_architecture(metadata)?;
        keys::check(metadata)?;

        let block_count = needed_size(metadata, "llama.block_count", 1)?;
        let size = |key: &str| needed_size(metadata, key, block_count);
        let size_or = |key: &str, default| match metadata.get(key) {
            Some(_) => size(key),
            None => Ok(default),
        };
        let embedding_length = size("llama.embedding_length")?;
        let head_count = size("llama.attention.head_count")?;
        let head_count_kv = size_or("llama.attention.head_count_kv", head_count)?;
        let head_size = size_or("llama.attention.key_length", embedding_length / head_count)?;
        let config = Self {
            context_length: size("llama.context_length")?,
            embedding_length,
            block_count,
            feed_forward_length: size("llama.feed_forward_length")?,
            head_count,
            head_count_kv,
            head_size,
            vocab_size: vocab_size(metadata)?,
            epsilon: positive(metadata, "llama.attention.layer_norm_rms_epsilon", None)?,
            rope_base: positive(metadata, "llama.rope.freq_base", Some(DEFAULT_ROPE_BASE))?,
            rope_factor: rope_factor(metadata)?,
            rope_freqs: gguf.tensor(ROPE_FREQS).is_some(),
            tied: gguf.tensor(OUTPUT).is_none(),
        };
        let value_length = size_or("llama.attention.value_length", embedding_length / head_count)?;
        let rotated = size_or("llama.rope.dimension_count", head_size)?;
        config.check_heads(value_length, rotated)?;
        tensors::check(gguf, &config)?;
        Ok(config)
    }

    /// The names and dims (columns, rows) of all tensors that a model of this kind has, layer by layer.
    pub fn tensors(&self) -> impl Iterator<Item = (String, Vec<usize>)> {
        tensors::expected(self)
    }

    /// The model's shape.
    pub fn shape(&self) -> Shape {
        Shape {
            dim: self.embedding_length,
            hidden_dim: self.feed_forward_length,
            n_layers: self.block_count,
            n_heads: self.head_count,
            n_kv_heads: self.head_count_kv,
            head_size: self.head_size,
            vocab_size: self.vocab_size,
            // Some claim a million tokens; the packer takes what fits.
            seq_len: self.context_length.min(MAX_LENGTH),
            shared_classifier: self.tied,
        }
    }

    /// The metadata of a model of this kind, without its tokenizer: what [`Self::of`] reads.
    pub fn metadata(&self) -> Metadata {
        let mut metadata = Metadata::default();
        metadata.push("general.architecture", ARCHITECTURE);
        for (key, size) in [
            ("llama.context_length", self.context_length),
            ("llama.embedding_length", self.embedding_length),
            ("llama.block_count", self.block_count),
            ("llama.feed_forward_length", self.feed_forward_length),
            ("llama.attention.head_count", self.head_count),
            ("llama.attention.head_count_kv", self.head_count_kv),
            ("llama.attention.key_length", self.head_size),
            ("llama.attention.value_length", self.head_size),
            ("llama.rope.dimension_count", self.head_size),
            ("llama.vocab_size", self.vocab_size),
        ] {
            metadata.push(key, size as u32);
        }
        metadata.push("llama.attention.layer_norm_rms_epsilon", self.epsilon);
        metadata.push("llama.rope.freq_base", self.rope_base);
        if self.rope_factor != 1.0 {
            metadata.push("llama.rope.scaling.type", "linear");
            metadata.push("llama.rope.scaling.factor", self.rope_factor);
        }
        metadata
    }

    fn check_heads(&self, value_length: usize, rotated: usize) -> Result<(), LlamaError> {
        let Self { embedding_length, head_count, head_count_kv, head_size, .. } = *self;
        if !head_count.is_multiple_of(head_count_kv) {
            return Err(LlamaError::KvHeads { head_count, head_count_kv });
        }
        if head_size == 0 {
            return Err(LlamaError::Heads { embedding_length, head_count });
        }
        if !head_size.is_multiple_of(2) {
            return Err(LlamaError::OddHead { head_size });
        }
        if value_length != head_size {
            return Err(LlamaError::ValueLength { value_length, head_size });
        }
        if rotated != head_size {
            return Err(LlamaError::PartialRope { rotated, head_size });
        }
        Ok(())
    }
}

fn check_architecture(metadata: &Metadata) -> Result<(), LlamaError> {
    let key = "general.architecture";
    match needed(key, metadata.str_of(key)?)? {
        ARCHITECTURE => {}
        other => return Err(LlamaError::Architecture(other.to_owned())),
    }
    match metadata.str_of("general.type")? {
        None | Some("model") => Ok(()),
        Some(other) => Err(LlamaError::Kind(other.to_owned())),
    }
}

/// A size above 0, or one for each layer, all the same.
fn needed_size(metadata: &Metadata, key: &str, layers: usize) -> Result<usize, LlamaError> {
    match needed(key, metadata.uniform_u32_of(key, layers)?)? {
        0 => Err(LlamaError::Zero(key.to_owned())),
        size => Ok(size as usize),
    }
}

/// A finite float above 0.
fn positive(metadata: &Metadata, key: &str, default: Option<f32>) -> Result<f32, LlamaError> {
    let value = needed(key, metadata.f32_of(key)?.or(default))?;
    if value.is_finite() && value > 0.0 {
        return Ok(value);
    }
    let wanted = "a finite float above 0".to_owned();
    Err(GgufError::Value { key: key.to_owned(), found: value.to_string(), wanted }.into())
}

/// The vocabulary's length: the number of tokens, with which `vocab_size` must agree.
fn vocab_size(metadata: &Metadata) -> Result<usize, LlamaError> {
    let key = "llama.vocab_size";
    let size = metadata.get(key).map(|_| needed_size(metadata, key, 1)).transpose()?;
    let tokens = metadata.strings_of("tokenizer.ggml.tokens")?.map(|tokens| tokens.len());
    match (size, tokens) {
        (Some(size), Some(tokens)) if size != tokens => Err(LlamaError::VocabSize { size, tokens }),
        (size, tokens) => Ok(needed(key, size.or(tokens))?),
    }
}

/// RoPE's linear scaling. llama.cpp takes a factor without a type as linear, and 0 as none.
fn rope_factor(metadata: &Metadata) -> Result<f32, LlamaError> {
    match metadata.str_of("llama.rope.scaling.type")? {
        Some("none") => return Ok(1.0),
        None | Some("linear") => {}
        Some(other) => return Err(LlamaError::RopeScaling(other.to_owned())),
    }
    let key = ["llama.rope.scaling.factor", "llama.rope.scale_linear"]
        .into_iter()
        .find(|key| metadata.get(key).is_some());
    match key.map(|key| metadata.f32_of(key).map(|factor| (key, factor))).transpose()? {
        None | Some((_, Some(0.0))) => Ok(1.0),
        Some((key, _)) => positive(metadata, key, None),
    }
}

#[cfg(test)]
mod tests;
