//! Which keys of a Llama model are known, and which of them change the answer.
//!
//! A key that is not known is refused: what it asks for is not done here, and the model's answer
//! would be fluent nonsense.
use super::LlamaError;
use crate::host::gguf::{Metadata, Value};

/// Keys that are read, or that change nothing.
const KNOWN: [&str; 18] = [
    "vocab_size",
    "context_length",
    "embedding_length",
    "block_count",
    "feed_forward_length",
    "tensor_data_layout", // which converter permuted the rows for RoPE: always the same order
    "attention.head_count",
    "attention.head_count_kv",
    "attention.key_length",
    "attention.value_length",
    "attention.layer_norm_rms_epsilon",
    "rope.dimension_count",
    "rope.freq_base",
    "rope.scale_linear",
    "rope.scaling.type",
    "rope.scaling.factor",
    "rope.scaling.original_context_length", // for YaRN, which is refused by its type
    "rope.scaling.finetuned",
];

/// Keys of what is not run here: what it is called, and the values that mean it is not there.
const FEATURES: [(&str, &str, &[f64]); 17] = [
    ("expert_count", "experts", &[0.0]),
    ("expert_used_count", "experts", &[0.0]),
    ("attention.sliding_window", "a sliding window", &[0.0]),
    ("attention.scale", "a scale of attention of its own", &[0.0]),
    ("attention.causal", "attention to later tokens", &[1.0]),
    ("attention.clamp_kqv", "clamped queries, keys and values", &[0.0]),
    ("attention.max_alibi_bias", "ALiBi", &[0.0]),
    ("logit_scale", "scaled logits", &[0.0, 1.0]),
    ("residual_scale", "a scaled residual stream", &[0.0, 1.0]),
    ("embedding_scale", "a scaled embedding", &[0.0, 1.0]),
    ("attn_logit_softcapping", "capped attention", &[0.0]),
    ("final_logit_softcapping", "capped logits", &[0.0]),
    ("use_parallel_residual", "parallel attention and feed-forward layers", &[0.0]),
    ("pooling_type", "pooling instead of a next token", &[0.0]),
    ("rope.scaling.attn_factor", "YaRN", &[0.0, 1.0]),
    ("rope.scaling.yarn_attn_factor", "YaRN", &[0.0, 1.0]),
    ("rope.scaling.yarn_log_multiplier", "YaRN", &[0.0]),
];

/// Checks that no key asks for something that is not run.
pub fn check(metadata: &Metadata) -> Result<(), LlamaError> {
    for (key, value) in metadata.iter() {
        let Some(name) = key.strip_prefix("llama.") else { continue };
        if KNOWN.contains(&name) {
            continue;
        }
        let feature = FEATURES.iter().find(|(other, ..)| *other == name);
        let (key, shown) = (key.to_owned(), value.to_string());
        let Some((_, what, neutral)) = feature else {
            return Err(LlamaError::UnknownKey { key, value: shown });
        };
        if !number_of(value).is_some_and(|number| neutral.contains(&number)) {
            return Err(LlamaError::Feature { what, key, value: shown });
        }
    }
    Ok(())
}

/// A value as a number; true is 1.
fn number_of(value: &Value) -> Option<f64> {
    match value {
        Value::Bool(value) => Some(f64::from(u8::from(*value))),
        _ => value.as_float().map(f64::from).or_else(|| value.as_integer().map(|number| number as f64)),
    }
}
