//! Checkpoints: a model's weights in a file, as others write them, read tensor by tensor.
//!
//! [`Checkpoint::open`] looks at a file's first bytes and takes the reader for it: llama2.c's format ([`llama2c`]) or
//! GGUF ([`gguf`]). What the packer and the fp32 reference need to know of a model beside its weights is in
//! its [`Config`].
pub mod gguf;
pub mod llama2c;

use super::foreign::{FIRST_BYTES, Foreign};
use super::gguf::{BlockError, Codes, GgufError, LlamaError, TensorType, VocabularyError};
use super::quantize::scale_of;
use crate::norm::RmsNorm;
use crate::shape::{Shape, ShapeError};
use gguf::GgufCheckpoint;
use llama2c::Llama2c;
use std::io::{self, Read, Seek};

/// llama2.c's ε in RMSNorm.
pub const LLAMA2C_EPSILON: f64 = 1e-5;
/// Fraction bits of the residual stream for models of llama2.c's kind: Q16.16.
pub const LLAMA2C_RESIDUAL_BITS: i32 = 16;
/// llama2.c's base of RoPE's frequencies.
pub const LLAMA2C_ROPE_BASE: f64 = 10_000.0;

/// What a checkpoint says of its model beside the weights.
#[derive(Clone, PartialEq, Debug)]
pub struct Config {
    /// The sizes.
    pub shape: Shape,
    /// ε in RMSNorm.
    pub epsilon: f64,
    /// RoPE's frequencies: the angle between two neighbouring positions, for each pair of a head (head_size / 2,).
    pub rope_frequencies: Vec<f64>,
    /// Fraction bits of the integer engine's residual stream.
    pub residual_bits: i32,
}

impl Config {
    /// A model as llama2.c runs it.
    pub fn llama2c(shape: Shape) -> Self {
        let rope_frequencies = rope_frequencies(LLAMA2C_ROPE_BASE, shape.head_size);
        Self { shape, epsilon: LLAMA2C_EPSILON, rope_frequencies, residual_bits: LLAMA2C_RESIDUAL_BITS }
    }

    /// What the integer engine's norms need to know.
    pub fn norm(&self) -> RmsNorm {
        RmsNorm { residual_bits: self.residual_bits, epsilon: scale_of(self.epsilon) }
    }
}

/// `base^(-2i / head_size)` for each pair i of a head (Su et al., "RoFormer").
pub fn rope_frequencies(base: f64, head_size: usize) -> Vec<f64> {
    (0..head_size / 2).map(|pair| base.powf(-((2 * pair) as f64) / head_size as f64)).collect()
}

/// A weight tensor, by llama2.c's name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Weight {
    /// tok_embeddings (vocab_size, dim).
    TokenEmbedding,
    /// rms_att_weight (n_layers, dim).
    RmsAtt,
    /// wq (n_layers, q_dim, dim).
    Wq,
    /// wk (n_layers, kv_dim, dim).
    Wk,
    /// wv (n_layers, kv_dim, dim).
    Wv,
    /// wo (n_layers, dim, q_dim).
    Wo,
    /// rms_ffn_weight (n_layers, dim).
    RmsFfn,
    /// w1 (n_layers, hidden_dim, dim).
    W1,
    /// w2 (n_layers, dim, hidden_dim).
    W2,
    /// w3 (n_layers, hidden_dim, dim).
    W3,
    /// rms_final_weight (dim,).
    RmsFinal,
    /// freq_cis_real (seq_len, head_size / 2): RoPE's cosines, which llama2.c skips.
    FreqCos,
    /// freq_cis_imag (seq_len, head_size / 2): RoPE's sines, which llama2.c skips.
    FreqSin,
    /// wcls (vocab_size, dim), where the classifier is not the embedding.
    Classifier,
}

impl Weight {
    /// llama2.c's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::TokenEmbedding => "tok_embeddings",
            Self::RmsAtt => "rms_att",
            Self::Wq => "wq",
            Self::Wk => "wk",
            Self::Wv => "wv",
            Self::Wo => "wo",
            Self::RmsFfn => "rms_ffn",
            Self::W1 => "w1",
            Self::W2 => "w2",
            Self::W3 => "w3",
            Self::RmsFinal => "rms_final",
            Self::FreqCos => "freq_cis_real",
            Self::FreqSin => "freq_cis_imag",
            Self::Classifier => "wcls",
        }
    }

    /// How many times a model of `shape` has this tensor, and how many numbers it is.
    pub const fn size(self, shape: &Shape) -> (usize, usize) {
        let Shape { dim, hidden_dim, n_layers, vocab_size, seq_len, .. } = *shape;
        match self {
            Self::TokenEmbedding | Self::Classifier => (1, vocab_size * dim),
            Self::RmsAtt | Self::RmsFfn => (n_layers, dim),
            Self::Wq | Self::Wo => (n_layers, shape.q_dim() * dim),
            Self::Wk | Self::Wv => (n_layers, shape.kv_dim() * dim),
            Self::W1 | Self::W2 | Self::W3 => (n_layers, hidden_dim * dim),
            Self::RmsFinal => (1, dim),
            Self::FreqCos | Self::FreqSin => (1, seq_len * shape.head_size / 2),
        }
    }
}

/// Why a checkpoint cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// The file could not be read.
    #[error("the checkpoint cannot be read: {0}")]
    Io(#[from] io::Error),
    /// The file is something else.
    #[error("{0}")]
    Foreign(Foreign),
    /// A GGUF that cannot be read.
    #[error(transparent)]
    Gguf(#[from] GgufError),
    /// A GGUF of a model that is not run.
    #[error(transparent)]
    Llama(#[from] LlamaError),
    /// A GGUF's tokenizer that cannot be read.
    #[error(transparent)]
    Vocabulary(#[from] VocabularyError),
    /// A GGUF's tensor that cannot be read.
    #[error(transparent)]
    Block(#[from] BlockError),
    /// A tensor that files of this kind do not have.
    #[error("the checkpoint has no {tensor}")]
    NoTensor {
        /// The tensor.
        tensor: String,
    },
    /// The header is not that of a checkpoint.
    #[error("this is no llama2.c checkpoint: its {name} would be {value}")]
    Header {
        /// The first number of it that cannot be.
        name: &'static str,
        /// Its value.
        value: i32,
    },
    /// A version that is not read.
    #[error(
        "the checkpoint has version {0}, only versions 0, 1 and 2 are read; export it again (llama2.c's export.py \
         --version 1)"
    )]
    Version(i32),
    /// The shape cannot be run.
    #[error("this is no checkpoint that can be run: {0}")]
    Shape(ShapeError),
    /// `dim` cannot be shared out to the heads.
    #[error("the model's dim {dim} is not divisible by its {n_heads} heads")]
    Heads {
        /// The dim found.
        dim: usize,
        /// The number of heads found.
        n_heads: usize,
    },
    /// Groups of int8 weights that do not fill the tensors.
    #[error(
        "the checkpoint's groups of {group} weights do not divide {tensor} of {numbers}; export it again"
    )]
    Groups {
        /// The group's size found.
        group: i32,
        /// The first tensor that it does not divide.
        tensor: &'static str,
        /// The tensor's numbers.
        numbers: usize,
    },
    /// The file ends too early.
    #[error(
        "the checkpoint is cut short in {tensor}: its header asks for {expected} bytes, it has {found}; fetch it again"
    )]
    Truncated {
        /// The tensor in which it ends.
        tensor: &'static str,
        /// Bytes that the header asks for.
        expected: u64,
        /// Bytes that are there.
        found: u64,
    },
    /// The file is longer than its header says.
    #[error(
        "the checkpoint has {found} bytes, its header accounts for {expected}; is it a llama2.c checkpoint?"
    )]
    TooLong {
        /// Bytes that the header asks for.
        expected: u64,
        /// Bytes that are there.
        found: u64,
    },
    /// A weight is not a number or infinite.
    #[error("the checkpoint's {tensor} of layer {layer} has the weight {value} at {index}")]
    NotFinite {
        /// The tensor.
        tensor: &'static str,
        /// The layer.
        layer: usize,
        /// Which number of the tensor.
        index: usize,
        /// What it is.
        value: f32,
    },
}

/// An open checkpoint.
pub enum Checkpoint<R> {
    /// llama2.c's.
    Llama2c(Llama2c<R>),
    /// GGUF.
    Gguf(GgufCheckpoint<R>),
}

impl<R: Read + Seek> Checkpoint<R> {
    /// Reads the header and checks that the file is as long as it says.
    ///
    /// # Errors
    /// What the file is instead, or what is wrong with it.
    pub fn open(mut reader: R) -> Result<Self, CheckpointError> {
        reader.rewind()?;
        let mut first = Vec::new();
        reader.by_ref().take(FIRST_BYTES as u64).read_to_end(&mut first)?;
        match Foreign::of(&first) {
            Some(Foreign::Gguf) => Ok(Self::Gguf(GgufCheckpoint::open(reader)?)),
            Some(foreign) => Err(CheckpointError::Foreign(foreign)),
            None => Ok(Self::Llama2c(Llama2c::open(reader)?)),
        }
    }

    /// Takes a context of at most so many tokens.
    pub fn limit_context(&mut self, tokens: usize) {
        let config = self.config_mut();
        config.shape.seq_len = config.shape.seq_len.min(tokens);
    }

    /// What it says of its model, to be changed: the residual's bits.
    pub fn config_mut(&mut self) -> &mut Config {
        match self {
            Self::Llama2c(file) => file.config_mut(),
            Self::Gguf(file) => file.config_mut(),
        }
    }

    /// What it says of its model.
    pub fn config(&self) -> &Config {
        match self {
            Self::Llama2c(file) => file.config(),
            Self::Gguf(file) => file.config(),
        }
    }

    /// The model's shape.
    pub fn shape(&self) -> Shape {
        self.config().shape
    }

    /// Whether the file has this tensor.
    pub fn has(&self, weight: Weight) -> bool {
        match self {
            Self::Llama2c(file) => file.has(weight),
            Self::Gguf(file) => file.has(weight),
        }
    }

    /// How a tensor is stored; `None` in llama2.c's formats.
    pub fn tensor_type(&self, weight: Weight, layer: usize) -> Option<TensorType> {
        match self {
            Self::Llama2c(_) => None,
            Self::Gguf(file) => file.tensor_type(weight, layer),
        }
    }

    /// Reads the codes of one layer's tensor.
    ///
    /// # Errors
    /// A file that cannot be read, a scale that is no number, a tensor without codes.
    pub fn codes(&mut self, weight: Weight, layer: usize) -> Result<Codes, CheckpointError> {
        let no_tensor = || CheckpointError::NoTensor { tensor: weight.name().into() };
        let Self::Gguf(file) = self else { return Err(no_tensor()) };
        let codes = file.codes(weight, layer)?.ok_or_else(no_tensor)?;
        let scales = codes.groups.iter().flat_map(|group| [group.scale, group.offset]);
        match scales.enumerate().find(|(_, scale)| !scale.is_finite()) {
            None => Ok(codes),
            Some((at, value)) => {
                let index = at / 2 * codes.columns;
                Err(CheckpointError::NotFinite { tensor: weight.name(), layer, index, value })
            }
        }
    }

    /// Reads one layer's tensor (layer 0 where there is only one) and checks its numbers.
    ///
    /// # Errors
    /// A file that cannot be read, a number that is none.
    pub fn read(&mut self, weight: Weight, layer: usize) -> Result<Vec<f32>, CheckpointError> {
        let tensor = match self {
            Self::Llama2c(file) => file.read(weight, layer)?,
            Self::Gguf(file) => file.read(weight, layer)?,
        };
        match tensor.iter().position(|value| !value.is_finite()) {
            None => Ok(tensor),
            Some(index) => {
                let value = tensor[index];
                Err(CheckpointError::NotFinite { tensor: weight.name(), layer, index, value })
            }
        }
    }
}
