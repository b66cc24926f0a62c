//! The tensors of a Llama model: their names and shapes.
use super::{LlamaConfig, LlamaError, OUTPUT, ROPE_FREQS};
use crate::host::gguf::Gguf;
use std::collections::HashMap;

/// The names and dims (columns first) of a model's tensors.
pub fn expected(config: &LlamaConfig) -> impl Iterator<Item = (String, Vec<usize>)> + use<> {
    let LlamaConfig { embedding_length: dim, feed_forward_length: hidden, vocab_size, head_size, .. } =
        *config;
    // Sizes that do not fit are those of no tensor.
    let q_dim = config.head_count.saturating_mul(head_size);
    let kv_dim = config.head_count_kv.saturating_mul(head_size);
    let layer = move |layer: usize| {
        let parts = [
            ("attn_norm", vec![dim]),
            ("attn_q", vec![dim, q_dim]),
            ("attn_k", vec![dim, kv_dim]),
            ("attn_v", vec![dim, kv_dim]),
            ("attn_output", vec![q_dim, dim]),
            ("ffn_norm", vec![dim]),
            ("ffn_gate", vec![dim, hidden]), // llama2.c's w1
            ("ffn_up", vec![dim, hidden]),   // w3
            ("ffn_down", vec![hidden, dim]), // w2
        ];
        parts.map(|(part, dims)| (format!("blk.{layer}.{part}.weight"), dims))
    };
    let output = (!config.tied).then(|| (OUTPUT.to_owned(), vec![dim, vocab_size]));
    let rope_freqs = config.rope_freqs.then(|| (ROPE_FREQS.to_owned(), vec![head_size / 2]));
    std::iter::once(("token_embd.weight".to_owned(), vec![dim, vocab_size]))
        .chain(rope_freqs)
        .chain((0..config.block_count).flat_map(layer))
        .chain([("output_norm.weight".to_owned(), vec![dim])])
        .chain(output)
}

/// Checks that a file has a model's tensors, each of its shape, and no others.
pub fn check(gguf: &Gguf, config: &LlamaConfig) -> Result<(), LlamaError> {
    if let Some(bias) = gguf.tensors.iter().find(|tensor| tensor.name.ends_with(".bias")) {
        return Err(LlamaError::Bias(bias.name.clone()));
    }
    let mut found: HashMap<&str, &[usize]> =
        gguf.tensors.iter().map(|tensor| (&tensor.name[..], &tensor.dims[..])).collect();
    for (tensor, wanted) in expected(config) {
        match found.remove(&tensor[..]) {
            Some(dims) if without_ones(dims) == without_ones(&wanted) => {}
            Some(dims) => return Err(LlamaError::TensorShape { tensor, found: dims.to_vec(), wanted }),
            None => return Err(LlamaError::MissingTensor(tensor)),
        }
    }
    match gguf.tensors.iter().find(|tensor| found.contains_key(&tensor.name[..])) {
        Some(tensor) => Err(LlamaError::UnknownTensor(tensor.name.clone())),
        None => Ok(()),
    }
}

/// Dims without the ones at their end, which change nothing.
fn without_ones(dims: &[usize]) -> &[usize] {
    let end = dims.iter().rposition(|&dim| dim != 1).map_or(0, |last| last + 1);
    &dims[..end]
}
