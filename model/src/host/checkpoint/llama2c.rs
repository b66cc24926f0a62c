//! Reader of llama2.c's checkpoints.
//!
//! - Version 0: seven i32 (a negative vocabulary means a classifier of its own), then the fp32 tensors;
//!   tables for RoPE stand before the classifier.
//! - Version 1: "ak42", the version, seven i32, one byte that says whether the classifier is the
//!   embedding, zeros to 256 bytes, then the fp32 tensors, the norms first.
//! - Version 2: the same header, with the size of a group (i32) behind that byte; the norms in fp32; then each
//!   tensor as int8, followed by its groups' scales in fp32 (`w = q · scale`).
//!
//! Tensors are read one at a time from wherever the file keeps them, so that a large checkpoint
//! needs no more memory than its largest tensor. Source: karpathy/llama2.c, export.py and runq.c.
use super::{CheckpointError, Config, Weight};
use crate::shape::Shape;
use std::io::{self, Read, Seek, SeekFrom};

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

/// The order of the tensors in a file of version 1 or 2; the classifier comes last, where there is one.
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
const BYTES_V0: usize = 28;
/// Bytes of a header of version 1 or 2.
const BYTES_V1: usize = 256;
/// What files of version 1 and later begin with: "ak42", as a little-endian number.
const MAGIC: i32 = 0x616B_3432;

/// How a file's matrices are stored.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Encoding {
    Fp32,
    /// int8 in groups of so many, which may straddle rows.
    Int8 {
        group: usize,
    },
}

impl Encoding {
    /// Norms and tables are fp32 in every version.
    fn of(self, weight: Weight) -> Self {
        use Weight::{FreqCos, FreqSin, RmsAtt, RmsFfn, RmsFinal};
        if matches!(weight, RmsAtt | RmsFfn | RmsFinal | FreqCos | FreqSin) { Self::Fp32 } else { self }
    }

    /// Bytes of a tensor of so many numbers.
    fn bytes(self, numbers: usize) -> u64 {
        match self {
            Self::Fp32 => 4 * numbers as u64,
            Self::Int8 { group } => (numbers + 4 * (numbers / group)) as u64,
        }
    }
}

/// An open checkpoint.
pub struct Llama2c<R> {
    reader: R,
    config: Config,
    encoding: Encoding,
    /// Where each tensor starts, in bytes.
    offsets: Vec<(Weight, u64)>,
    /// The shape that the file was written for.
    stored: Shape,
}

impl<R: Read + Seek> Llama2c<R> {
    /// Reads the header and checks that the file is as long as it says.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn open(mut reader: R) -> Result<Self, CheckpointError> {
        let found = reader.seek(SeekFrom::End(0))?;
        reader.seek(SeekFrom::Start(0))?;
        let Header { shape, order, encoding, bytes } = Header::read(&mut reader, found)?;
        shape.check().map_err(CheckpointError::Shape)?;
        let classifier = (!shape.shared_classifier).then_some(Weight::Classifier);
        let mut offsets = Vec::new();
        let mut expected = bytes as u64;
        for weight in order.iter().copied().chain(classifier) {
            let (times, numbers) = weight.size(&shape);
            let encoding = encoding.of(weight);
            if let Encoding::Int8 { group } = encoding
                && !numbers.is_multiple_of(group)
            {
                return Err(CheckpointError::Groups { group: group as i32, tensor: weight.name(), numbers });
            }
            offsets.push((weight, expected));
            expected += times as u64 * encoding.bytes(numbers);
        }
        if found < expected {
            let cut = offsets.iter().rev().find(|(_, offset)| *offset <= found);
            let tensor = cut.map_or("the header", |(weight, _)| weight.name());
            return Err(CheckpointError::Truncated { tensor, expected, found });
        }
        if found > expected {
            return Err(CheckpointError::TooLong { expected, found });
        }
        Ok(Self { reader, config: Config::llama2c(shape), encoding, offsets, stored: shape })
    }

    /// What it says of its model.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The same, to be changed.
    pub fn config_mut(&mut self) -> &mut Config {
        &mut self.config
    }

    /// Whether the file has this tensor.
    pub fn has(&self, weight: Weight) -> bool {
        self.offsets.iter().any(|(other, _)| *other == weight)
    }

    /// Reads one layer's tensor (layer 0 where there is only one).
    ///
    /// # Errors
    /// A tensor that is not there, a file that cannot be read.
    pub fn read(&mut self, weight: Weight, layer: usize) -> Result<Vec<f32>, CheckpointError> {
        let (times, numbers) = weight.size(&self.stored);
        let offset = self.offsets.iter().find(|(other, _)| *other == weight);
        let &(_, offset) =
            offset.filter(|_| layer < times).ok_or(io::ErrorKind::NotFound).map_err(io::Error::from)?;
        let encoding = self.encoding.of(weight);
        self.reader.seek(SeekFrom::Start(offset + layer as u64 * encoding.bytes(numbers)))?;
        match encoding {
            Encoding::Fp32 => self.read_fp32(numbers),
            Encoding::Int8 { group } => {
                let mut codes = vec![0i8; numbers];
                self.reader.read_exact(bytemuck::cast_slice_mut(&mut codes))?;
                let scales = self.read_fp32(numbers / group)?;
                let groups = codes.chunks_exact(group).zip(&scales);
                Ok(groups
                    .flat_map(|(codes, scale)| codes.iter().map(move |&q| f32::from(q) * scale))
                    .collect())
            }
        }
    }

    fn read_fp32(&mut self, numbers: usize) -> Result<Vec<f32>, CheckpointError> {
        let mut tensor = vec![0f32; numbers];
        self.reader.read_exact(bytemuck::cast_slice_mut(&mut tensor))?;
        Ok(tensor)
    }
}

/// A file's header.
struct Header {
    shape: Shape,
    order: &'static [Weight],
    encoding: Encoding,
    /// Its length.
    bytes: usize,
}

impl Header {
    fn read<R: Read>(reader: &mut R, found: u64) -> Result<Self, CheckpointError> {
        let mut read = |from: usize, to: usize| -> Result<Vec<i32>, CheckpointError> {
            let mut words = vec![0i32; (to - from) / 4];
            if found < to as u64 {
                return Err(CheckpointError::Truncated { tensor: "the header", expected: to as u64, found });
            }
            reader.read_exact(bytemuck::cast_slice_mut(&mut words))?;
            Ok(words)
        };
        let start = read(0, BYTES_V0)?;
        if start[0] != MAGIC {
            let mut shape = shape_of(&start)?;
            shape.shared_classifier = start[5] > 0;
            return Ok(Self { shape, order: &ORDER_V0, encoding: Encoding::Fp32, bytes: BYTES_V0 });
        }
        let rest = read(BYTES_V0, BYTES_V1)?;
        let words = [&start[2..], &rest].concat();
        if words[5] < 0 {
            return Err(CheckpointError::Header { name: "vocab_size", value: words[5] });
        }
        let mut shape = shape_of(&words)?;
        // Behind the seven numbers a byte, and right behind it, not aligned, the group's size.
        let [shared, group @ ..] = words[7].to_le_bytes();
        shape.shared_classifier = shared != 0;
        let encoding = match start[1] {
            1 => Encoding::Fp32,
            2 => {
                let group = i32::from_le_bytes([group[0], group[1], group[2], words[8].to_le_bytes()[0]]);
                let size = usize::try_from(group).ok().filter(|&size| size > 0);
                let no_group = CheckpointError::Header { name: "group_size", value: group };
                Encoding::Int8 { group: size.ok_or(no_group)? }
            }
            version => return Err(CheckpointError::Version(version)),
        };
        Ok(Self { shape, order: &ORDER_V1, encoding, bytes: BYTES_V1 })
    }
}

/// The seven sizes of a header; the classifier is taken for the embedding.
fn shape_of(words: &[i32]) -> Result<Shape, CheckpointError> {
    let size = |i: usize, name| {
        usize::try_from(words[i]).map_err(|_| CheckpointError::Header { name, value: words[i] })
    };
    let (dim, n_heads) = (size(0, "dim")?, size(3, "n_heads")?);
    if n_heads == 0 || !dim.is_multiple_of(n_heads) {
        return Err(CheckpointError::Heads { dim, n_heads });
    }
    Ok(Shape {
        dim,
        head_size: dim / n_heads,
        hidden_dim: size(1, "hidden_dim")?,
        n_layers: size(2, "n_layers")?,
        n_heads,
        n_kv_heads: size(4, "n_kv_heads")?,
        vocab_size: words[5].unsigned_abs() as usize,
        seq_len: size(6, "seq_len")?,
        shared_classifier: true,
    })
}

#[cfg(test)]
#[path = "llama2c_tests.rs"]
mod tests;
