//! Reader of llama2.c checkpoints of fp32 weights.
//!
//! - Version 0: seven i32 (a negative vocabulary means a classifier of its own), then the tensors;
//!   tables for RoPE stand before the classifier.
//! - Version 1: "ak42", the version, seven i32, one byte that says whether the classifier is the
//!   embedding, zeros to 256 bytes, then the tensors, the norms first.
//!
//! Tensors are read one at a time from wherever the file keeps them, so that a large checkpoint
//! needs no more memory than its largest tensor.
use crate::shape::{Shape, ShapeError};
use std::fmt;
use std::io::{self, Read, Seek, SeekFrom};

/// A weight tensor, by llama2.c's name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Weight {
    /// tok_embeddings (vocab_size, dim).
    TokenEmbedding,
    /// rms_att_weight (n_layers, dim).
    RmsAtt,
    /// wq (n_layers, dim, dim).
    Wq,
    /// wk (n_layers, kv_dim, dim).
    Wk,
    /// wv (n_layers, kv_dim, dim).
    Wv,
    /// wo (n_layers, dim, dim).
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
            Self::Wq | Self::Wo => (n_layers, dim * dim),
            Self::Wk | Self::Wv => (n_layers, shape.kv_dim() * dim),
            Self::W1 | Self::W2 | Self::W3 => (n_layers, hidden_dim * dim),
            Self::RmsFinal => (1, dim),
            Self::FreqCos | Self::FreqSin => (1, seq_len * shape.head_size() / 2),
        }
    }
}

/// The order of the tensors in a version 0 file; the classifier comes last, where there is one.
pub const ORDER_V0: [Weight; 13] = [
    Weight::TokenEmbedding,
    Weight::RmsAtt,
    Weight::Wq,
    Weight::Wk,
    Weight::Wv,
    Weight::Wo,
    Weight::RmsFfn,
    Weight::W1,
    Weight::W2,
    Weight::W3,
    Weight::RmsFinal,
    Weight::FreqCos,
    Weight::FreqSin,
];

/// The order of the tensors in a version 1 file; the classifier comes last, where there is one.
const ORDER_V1: [Weight; 11] = [
    Weight::RmsAtt,
    Weight::RmsFfn,
    Weight::RmsFinal,
    Weight::TokenEmbedding,
    Weight::Wq,
    Weight::Wk,
    Weight::Wv,
    Weight::Wo,
    Weight::W1,
    Weight::W2,
    Weight::W3,
];

/// Bytes of a version 0 header: seven i32.
const HEADER_V0: usize = 28;
/// Bytes of a version 1 header.
const HEADER_V1: usize = 256;
/// What files of version 1 and later begin with: "ak42", as a little-endian number.
const MAGIC: i32 = 0x616B_3432;

/// Why a checkpoint cannot be used.
#[derive(Debug)]
pub enum CheckpointError {
    /// The file could not be read.
    Io(io::Error),
    /// The header is not that of a checkpoint.
    Header {
        /// The first number of it that cannot be.
        name: &'static str,
        /// Its value.
        value: i32,
    },
    /// A version that is not read.
    Version(i32),
    /// The shape cannot be run.
    Shape(ShapeError),
    /// The file ends too early.
    Truncated {
        /// The tensor in which it ends.
        tensor: &'static str,
        /// Bytes that the header asks for.
        expected: u64,
        /// Bytes that are there.
        found: u64,
    },
    /// The file is longer than its header says.
    TooLong {
        /// Bytes that the header asks for.
        expected: u64,
        /// Bytes that are there.
        found: u64,
    },
    /// A weight is not a number or infinite.
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

impl fmt::Display for CheckpointError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => write!(f, "the checkpoint cannot be read: {error}"),
            Self::Header { name, value } => {
                write!(f, "this is no llama2.c checkpoint: its {name} would be {value}")
            }
            Self::Version(version) => write!(
                f,
                "the checkpoint has version {version}, only versions 0 and 1 are read; \
                 export it as fp32 (llama2.c's export.py --version 1)"
            ),
            Self::Shape(error) => write!(f, "this is no checkpoint that can be run: {error}"),
            Self::Truncated { tensor, expected, found } => write!(
                f,
                "the checkpoint is cut short in {tensor}: its header asks for {expected} bytes, it has {found}; \
                 fetch it again"
            ),
            Self::TooLong { expected, found } => write!(
                f,
                "the checkpoint has {found} bytes, its header accounts for {expected}; \
                 is it a llama2.c fp32 checkpoint?"
            ),
            Self::NotFinite { tensor, layer, index, value } => {
                write!(f, "the checkpoint's {tensor} of layer {layer} has the weight {value} at {index}")
            }
        }
    }
}

impl std::error::Error for CheckpointError {}

impl From<io::Error> for CheckpointError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// An open checkpoint.
pub struct Checkpoint<R> {
    reader: R,
    /// The model's shape.
    pub shape: Shape,
    /// Where each tensor starts, in bytes.
    offsets: Vec<(Weight, u64)>,
}

impl<R: Read + Seek> Checkpoint<R> {
    /// Reads the header and checks that the file is as long as it says.
    pub fn open(mut reader: R) -> Result<Self, CheckpointError> {
        let found = reader.seek(SeekFrom::End(0))?;
        reader.seek(SeekFrom::Start(0))?;
        let (shape, order, header_bytes) = read_header(&mut reader, found)?;
        shape.check().map_err(CheckpointError::Shape)?;
        let classifier = (!shape.shared_classifier).then_some(Weight::Classifier);
        let mut offsets = Vec::new();
        let mut expected = header_bytes as u64;
        for weight in order.iter().copied().chain(classifier) {
            let (times, numbers) = weight.size(&shape);
            offsets.push((weight, expected));
            expected += 4 * times as u64 * numbers as u64;
        }
        if found < expected {
            let cut = offsets.iter().rev().find(|(_, offset)| *offset <= found);
            let tensor = cut.map_or("the header", |(weight, _)| weight.name());
            return Err(CheckpointError::Truncated { tensor, expected, found });
        }
        if found > expected {
            return Err(CheckpointError::TooLong { expected, found });
        }
        Ok(Self { reader, shape, offsets })
    }

    /// Whether the file has this tensor.
    pub fn has(&self, weight: Weight) -> bool {
        self.offsets.iter().any(|(other, _)| *other == weight)
    }

    /// Reads one layer's tensor (layer 0 where there is only one) and checks its numbers.
    pub fn read(&mut self, weight: Weight, layer: usize) -> Result<Vec<f32>, CheckpointError> {
        let (times, numbers) = weight.size(&self.shape);
        let offset = self.offsets.iter().find(|(other, _)| *other == weight);
        let &(_, offset) =
            offset.filter(|_| layer < times).ok_or(io::ErrorKind::NotFound).map_err(io::Error::from)?;
        self.reader.seek(SeekFrom::Start(offset + 4 * (layer * numbers) as u64))?;
        let mut tensor = vec![0f32; numbers];
        self.reader.read_exact(bytemuck::cast_slice_mut(&mut tensor))?;
        match tensor.iter().position(|value| !value.is_finite()) {
            None => Ok(tensor),
            Some(index) => {
                let value = tensor[index];
                Err(CheckpointError::NotFinite { tensor: weight.name(), layer, index, value })
            }
        }
    }
}

/// The shape, the order of tensors and the length of the header.
fn read_header<R: Read>(
    reader: &mut R,
    found: u64,
) -> Result<(Shape, &'static [Weight], usize), CheckpointError> {
    let mut read = |from: usize, to: usize| -> Result<Vec<i32>, CheckpointError> {
        let mut words = vec![0i32; (to - from) / 4];
        if found < to as u64 {
            return Err(CheckpointError::Truncated { tensor: "the header", expected: to as u64, found });
        }
        reader.read_exact(bytemuck::cast_slice_mut(&mut words))?;
        Ok(words)
    };
    let start = read(0, HEADER_V0)?;
    if start[0] != MAGIC {
        let mut shape = shape_of(&start)?;
        shape.shared_classifier = start[5] > 0;
        return Ok((shape, &ORDER_V0, HEADER_V0));
    }
    if start[1] != 1 {
        return Err(CheckpointError::Version(start[1]));
    }
    let rest = read(HEADER_V0, HEADER_V1)?;
    let words = [&start[2..], &rest].concat();
    if words[5] < 0 {
        return Err(CheckpointError::Header { name: "vocab_size", value: words[5] });
    }
    let mut shape = shape_of(&words)?;
    shape.shared_classifier = words[7].to_le_bytes()[0] != 0;
    Ok((shape, &ORDER_V1, HEADER_V1))
}

/// The seven sizes of a header; the classifier is taken for the embedding.
fn shape_of(words: &[i32]) -> Result<Shape, CheckpointError> {
    let size = |i: usize, name| {
        usize::try_from(words[i]).map_err(|_| CheckpointError::Header { name, value: words[i] })
    };
    Ok(Shape {
        dim: size(0, "dim")?,
        hidden_dim: size(1, "hidden_dim")?,
        n_layers: size(2, "n_layers")?,
        n_heads: size(3, "n_heads")?,
        n_kv_heads: size(4, "n_kv_heads")?,
        vocab_size: words[5].unsigned_abs() as usize,
        seq_len: size(6, "seq_len")?,
        shared_classifier: true,
    })
}

#[cfg(test)]
mod tests;
