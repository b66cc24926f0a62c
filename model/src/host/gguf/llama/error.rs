//! Why a GGUF is no Llama model that can be run.
use crate::host::gguf::GgufError;
use thiserror::Error;

/// What is wrong with a model's metadata or tensors, or not supported.
#[derive(Debug, Error)]
pub enum LlamaError {
    /// A key is missing or has a wrong value.
    #[error(transparent)]
    Gguf(#[from] GgufError),
    /// Another architecture.
    #[error("the model's architecture is {0:?}, only \"llama\" is run; take a Llama model, such as SmolLM2")]
    Architecture(String),
    /// An adapter, a projector, or a vocabulary alone.
    #[error("the GGUF holds no whole model but something of the kind {0:?}; take the model itself")]
    Kind(String),
    /// A size is zero.
    #[error("the model's {0} is 0; the GGUF is damaged, download it again")]
    Zero(String),
    /// The vocabulary's two lengths differ.
    #[error(
        "the model's vocabulary does not fit it: llama.vocab_size is {size}, \
         tokenizer.ggml.tokens has {tokens}; convert the model again"
    )]
    VocabSize {
        /// What the metadata says.
        size: usize,
        /// How many tokens there are.
        tokens: usize,
    },
    /// The residual stream is shorter than there are heads.
    #[error("the model's embedding length {embedding_length} is less than its {head_count} heads")]
    Heads {
        /// Length of the residual stream.
        embedding_length: usize,
        /// Query heads.
        head_count: usize,
    },
    /// The query heads cannot be shared out to the key/value heads.
    #[error("the model's {head_count} heads are not divisible by its {head_count_kv} kv heads")]
    KvHeads {
        /// Query heads.
        head_count: usize,
        /// Key/value heads.
        head_count_kv: usize,
    },
    /// RoPE rotates pairs, so a head needs an even number of values.
    #[error("the model's head size {head_size} is odd, RoPE needs pairs of values")]
    OddHead {
        /// Values in a head.
        head_size: usize,
    },
    /// A head's value is not as long as its key.
    #[error(
        "the model's values have {value_length} numbers a head and its keys {head_size} \
         (llama.attention.value_length); only models where both are the same are run"
    )]
    ValueLength {
        /// Numbers in a value.
        value_length: usize,
        /// Numbers in a key.
        head_size: usize,
    },
    /// RoPE turns only a part of each head.
    #[error(
        "the model's RoPE turns {rotated} of a head's {head_size} numbers (llama.rope.dimension_count); \
         only models where it turns all of them are run"
    )]
    PartialRope {
        /// Numbers that are turned.
        rotated: usize,
        /// Numbers in a head.
        head_size: usize,
    },
    /// RoPE is scaled in a way that is not supported.
    #[error(
        "the model's RoPE is scaled by {0:?} (llama.rope.scaling.type); \
         only linear scaling and Llama 3's rope_freqs.weight are run, take a model with one of them"
    )]
    RopeScaling(String),
    /// Something that changes the answer and is not supported.
    #[error(
        "the model has {what} ({key} is {value}), which is not run; take a plain Llama model, such as SmolLM2"
    )]
    Feature {
        /// What it is called.
        what: &'static str,
        /// The key that says so.
        key: String,
        /// Its value.
        value: String,
    },
    /// A key that is not known, and so might change the answer.
    #[error(
        "the model's {key} is {value}, which is not known here and might change its answer; \
         take a plain Llama model"
    )]
    UnknownKey {
        /// The key.
        key: String,
        /// Its value.
        value: String,
    },
    /// A tensor of biases.
    #[error("the model has biases ({0}), which are not run; take a plain Llama model, such as SmolLM2")]
    Bias(String),
    /// A tensor is not there.
    #[error("the model has no tensor {0}; download it again, or convert it again")]
    MissingTensor(String),
    /// A tensor has not the shape that the metadata asks for.
    #[error(
        "the tensor {tensor} has the dims {found:?}, by the model's metadata it must have {wanted:?}; \
         convert the model again"
    )]
    TensorShape {
        /// The tensor.
        tensor: String,
        /// Its dims, columns first.
        found: Vec<usize>,
        /// What they must be.
        wanted: Vec<usize>,
    },
    /// A tensor that such a model does not have.
    #[error("the model has the tensor {0}, which is no part of a plain Llama model; take one without it")]
    UnknownTensor(String),
}
