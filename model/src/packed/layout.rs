//! Which tensors a packed model has, and in which order: the order in which they are read.
use crate::engine::EngineKind;
use crate::matrix::{Matrix, TILE_COLS, TILE_ROWS};
use crate::sectorllm::SectorllmWeights;
use crate::shape::Shape;
use crate::tables::{EXP2_ENTRIES, SIGMOID_ENTRIES};
use alloc::vec::Vec;

/// Each tensor starts at a multiple of this many bytes from the start of the packed model.
pub const TENSOR_ALIGN: u64 = 64;

/// What a tensor is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u16)]
pub enum Kind {
    /// The vocabulary ([`crate::vocabulary`]); `cols` is its size in bytes.
    Vocabulary = 0,
    /// The table of 2^-x.
    Exp2 = 1,
    /// The table of the logistic function.
    Sigmoid = 2,
    /// Cosines and sines (seq_len, head_size / 2).
    Rope = 3,
    /// The embedding (vocab_size, dim), where the classifier is another matrix.
    Embedding = 4,
    /// The norm before attention (dim,).
    RmsAtt = 5,
    /// wq, wk and wv, one below the other (q_dim + 2 kv_dim, dim).
    Wqkv = 6,
    /// wo (dim, q_dim).
    Wo = 7,
    /// The norm before the feed-forward layer (dim,).
    RmsFfn = 8,
    /// w1 and w3, one below the other (2 hidden_dim, dim).
    W13 = 9,
    /// w2 (dim, hidden_dim).
    W2 = 10,
    /// The norm before the classifier (dim,).
    RmsFinal = 11,
    /// The classifier (vocab_size, dim); also the embedding, where they are one.
    Classifier = 12,
    /// The weights of the 1356-byte mode; `cols` is their size in bytes.
    Sectorllm = 13,
}

impl Kind {
    /// The tensor's name for people.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Vocabulary => "vocabulary",
            Self::Exp2 => "table of 2^-x",
            Self::Sigmoid => "table of the logistic function",
            Self::Rope => "RoPE table",
            Self::Embedding => "embedding",
            Self::RmsAtt => "rms_att",
            Self::Wqkv => "wqkv",
            Self::Wo => "wo",
            Self::RmsFfn => "rms_ffn",
            Self::W13 => "w13",
            Self::W2 => "w2",
            Self::RmsFinal => "rms_final",
            Self::Classifier => "classifier",
            Self::Sectorllm => "weights of the 1356-byte mode",
        }
    }

    const fn is_matrix(self) -> bool {
        matches!(self, Self::Embedding | Self::Wqkv | Self::Wo | Self::W13 | Self::W2 | Self::Classifier)
    }
}

/// A line of the tensor directory.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Entry {
    /// What the tensor is.
    pub kind: Kind,
    /// Its layer, 0 where it has none.
    pub layer: u16,
    /// Rows of a matrix; entries of a table; else 1.
    pub rows: u32,
    /// Columns of a matrix; values of a vector or of a table's entry; bytes of what is no numbers.
    pub cols: u32,
    /// What the integer 1 means, as a power of two: see [`Matrix`] and [`crate::norm::NormWeight`].
    pub exponent: i32,
    /// Fraction bits of a matrix's output.
    pub fraction_bits: i32,
    /// Where the tensor starts, in bytes from the start of the packed model.
    pub offset: u32,
}

impl Entry {
    /// Scales of a matrix, one for each row of its blocks; none of anything else.
    pub fn scales(&self) -> usize {
        if self.kind.is_matrix() { Matrix::blocks(self.rows as usize) * TILE_ROWS } else { 0 }
    }

    /// Bytes of the tensor, without what fills up to the next.
    pub fn bytes(&self) -> u64 {
        let (rows, cols) = (u64::from(self.rows), u64::from(self.cols));
        let scales = self.scales() as u64;
        match self.kind {
            Kind::Vocabulary | Kind::Sectorllm => cols,
            kind if kind.is_matrix() => 4 * scales + scales * cols.next_multiple_of(TILE_COLS as u64),
            _ => 4 * rows * cols,
        }
    }

    /// Bytes from the start of this tensor to the start of the next.
    pub fn padded_bytes(&self) -> u64 {
        self.bytes().next_multiple_of(TENSOR_ALIGN)
    }
}

/// The directory of a model of this shape: exponents and fraction bits are 0, the packer fills
/// them in. `header_bytes` is a function of the number of entries. `None` if the engine does not run this
/// shape, or a packed model cannot be that large: 4 GB.
pub fn layout(
    engine: EngineKind,
    shape: &Shape,
    vocabulary_bytes: u32,
    header_bytes: impl Fn(usize) -> u32,
) -> Option<Vec<Entry>> {
    let Shape { dim, hidden_dim, vocab_size, seq_len, .. } = *shape;
    let mut tensors = Vec::new();
    let mut tensor = |kind, layer: usize, rows: usize, cols: usize| {
        tensors.push(Entry {
            kind,
            layer: layer as u16,
            rows: rows as u32,
            cols: cols as u32,
            exponent: 0,
            fraction_bits: 0,
            offset: 0,
        });
    };
    tensor(Kind::Vocabulary, 0, 1, vocabulary_bytes as usize);
    tensor(Kind::Exp2, 0, 1, EXP2_ENTRIES);
    tensor(Kind::Sigmoid, 0, 1, SIGMOID_ENTRIES);
    match engine {
        EngineKind::Int8 => {
            tensor(Kind::Rope, 0, seq_len, shape.head_size);
            if !shape.shared_classifier {
                tensor(Kind::Embedding, 0, vocab_size, dim);
            }
            for layer in 0..shape.n_layers {
                tensor(Kind::RmsAtt, layer, 1, dim);
                tensor(Kind::Wqkv, layer, shape.qkv_dim(), dim);
                tensor(Kind::Wo, layer, dim, shape.q_dim());
                tensor(Kind::RmsFfn, layer, 1, dim);
                tensor(Kind::W13, layer, 2 * hidden_dim, dim);
                tensor(Kind::W2, layer, dim, hidden_dim);
            }
            tensor(Kind::RmsFinal, 0, 1, dim);
            tensor(Kind::Classifier, 0, vocab_size, dim);
        }
        EngineKind::Sectorllm if *shape == Shape::STORIES260K => {
            tensor(Kind::Sectorllm, 0, 1, SectorllmWeights::PACKED_BYTES);
        }
        EngineKind::Sectorllm => return None,
    }
    let mut offset = u64::from(header_bytes(tensors.len()));
    for tensor in &mut tensors {
        tensor.offset = u32::try_from(offset).ok()?;
        offset += tensor.padded_bytes();
    }
    u32::try_from(offset).ok()?;
    Some(tensors)
}
