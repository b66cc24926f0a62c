//! The header: magic, CRCs, shape, name, tensor directory.
use super::layout::{Entry, TENSOR_ALIGN, layout};
use super::{Memory, PackedError};
use crate::crc32::Crc32;
use crate::encoder::Encoder;
use crate::engine::EngineKind;
use crate::int8::Int8;
use crate::sampler::Sampler;
use crate::sectorllm::Sectorllm;
use crate::shape::Shape;
use crate::source::Source;
use alloc::string::String;
use alloc::vec::Vec;

/// What a packed model begins with.
pub const MAGIC: [u8; 8] = *b"unreallm";
/// The version of the format.
pub const VERSION: u32 = 4;
/// Bytes of the header before the directory.
pub const HEADER_PREFIX: usize = 128;
/// Bytes for the model's name.
pub const NAME_BYTES: usize = 64;
/// Bytes of a directory entry.
const ENTRY_BYTES: usize = 32;
/// Where the part begins that the header's CRC is over.
const CRC_FROM: usize = 20;
/// No header is larger: 4,096 layers of 6 tensors take 786,432 bytes.
const MAX_HEADER: usize = 1 << 20;
/// Flag: the classifier is also the embedding.
const FLAG_SHARED: u32 = 1 << 0;
/// Flag: the weights are those of the 1356-byte mode.
const FLAG_SECTORLLM: u32 = 1 << 1;

/// Everything about a packed model but its tensors.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PackedHeader {
    /// The engine that its weights are for.
    pub engine: EngineKind,
    /// The model's shape.
    pub shape: Shape,
    /// The model's name.
    pub name: String,
    /// CRC-32 of all bytes after the header.
    pub payload_crc: u32,
    /// The tensors, in the order in which they are read.
    pub entries: Vec<Entry>,
}

impl PackedHeader {
    /// Bytes of a header with so many tensors.
    pub fn bytes_for(entries: usize) -> u32 {
        (HEADER_PREFIX + entries * ENTRY_BYTES).next_multiple_of(TENSOR_ALIGN as usize) as u32
    }

    /// Length of the packed model in bytes, header included.
    pub fn packed_bytes(&self) -> u64 {
        u64::from(Self::bytes_for(self.entries.len())) + self.payload_bytes()
    }

    /// Bytes of all tensors, with what fills up to the next.
    pub fn payload_bytes(&self) -> u64 {
        self.entries.iter().map(Entry::padded_bytes).sum()
    }

    /// Bytes of memory that the model takes with a context of so many tokens.
    pub fn memory(&self, context: usize) -> Memory {
        let piece_starts = 4 * (self.shape.vocab_size as u64 + 1);
        let (kv_cache, activations) = match self.engine {
            EngineKind::Int8 => Int8::memory(&self.shape, context),
            EngineKind::Sectorllm => Sectorllm::memory(context),
        };
        let text = Encoder::memory(self.shape.vocab_size) + Sampler::memory(self.shape.vocab_size);
        Memory { weights: self.payload_bytes() + piece_starts, kv_cache, activations, text }
    }

    /// Reads and checks a header; the source is then at the first tensor.
    pub fn read<S: Source>(source: &mut S) -> Result<Self, PackedError<S::Error>> {
        let mut bytes = alloc::vec![0; HEADER_PREFIX];
        source.read(&mut bytes).map_err(PackedError::Read)?;
        if bytes[..8] != MAGIC {
            return Err(PackedError::Magic);
        }
        let version = word(&bytes, 8);
        if version != VERSION {
            return Err(PackedError::Version(version));
        }
        let size = word(&bytes, 12);
        if !(HEADER_PREFIX..=MAX_HEADER).contains(&(size as usize)) {
            return Err(PackedError::HeaderSize(size));
        }
        bytes.resize(size as usize, 0);
        source.read(&mut bytes[HEADER_PREFIX..]).map_err(PackedError::Read)?;
        let expected = word(&bytes, 16);
        let found = crate::crc32::crc32(&bytes[CRC_FROM..]);
        if found != expected {
            return Err(PackedError::Crc { part: "header", expected, found });
        }
        Self::parse(&bytes)
    }

    /// Reads the fields of a header whose CRC is right.
    fn parse<E>(bytes: &[u8]) -> Result<Self, PackedError<E>> {
        let size = |i: usize| word(bytes, 32 + 4 * i) as usize;
        let shape = Shape {
            dim: size(0),
            hidden_dim: size(1),
            n_layers: size(2),
            n_heads: size(3),
            n_kv_heads: size(4),
            vocab_size: size(5),
            seq_len: size(6),
            shared_classifier: word(bytes, 60) & FLAG_SHARED != 0,
        };
        shape.check().map_err(PackedError::Shape)?;
        let engine = match word(bytes, 60) & FLAG_SECTORLLM {
            0 => EngineKind::Int8,
            _ => EngineKind::Sectorllm,
        };
        let name = &bytes[64..64 + NAME_BYTES];
        let end = name.iter().position(|&b| b == 0).unwrap_or(NAME_BYTES);
        let name = core::str::from_utf8(&name[..end]).map_err(|_| PackedError::Name)?;
        // The directory must be the one that the shape asks for; only what the packer chooses is
        // taken from it, and the tokenizer's size, which stands in the first entry.
        let count = word(bytes, 28) as usize;
        let room = (bytes.len() - HEADER_PREFIX) / ENTRY_BYTES;
        if count == 0 || count > room || Self::bytes_for(count) as usize != bytes.len() {
            return Err(PackedError::Directory { entry: count });
        }
        let line = |i: usize| &bytes[HEADER_PREFIX + i * ENTRY_BYTES..][..ENTRY_BYTES];
        let mut entries = layout(engine, &shape, word(line(0), 8), Self::bytes_for)
            .filter(|entries| entries.len() == count)
            .ok_or(PackedError::Directory { entry: count })?;
        for (i, entry) in entries.iter_mut().enumerate() {
            entry.exponent = word(line(i), 12) as i32;
            entry.fraction_bits = word(line(i), 16) as i32;
            // Not `abs`, which overflows for the lowest number.
            let fits = |exponent: i32| exponent.unsigned_abs() < 1 << 16;
            let exponents_fit = fits(entry.exponent) && fits(entry.fraction_bits);
            if !exponents_fit || encode(entry) != *line(i) {
                return Err(PackedError::Directory { entry: i });
            }
        }
        let header = Self { engine, shape, name: name.into(), payload_crc: word(bytes, 20), entries };
        if header.packed_bytes() != bytes.len() as u64 + u64::from(word(bytes, 24)) {
            return Err(PackedError::Directory { entry: count });
        }
        Ok(header)
    }

    /// The header's bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let size = Self::bytes_for(self.entries.len());
        let mut bytes = Vec::with_capacity(size as usize);
        bytes.extend(MAGIC);
        bytes.extend(VERSION.to_le_bytes());
        bytes.extend(size.to_le_bytes());
        bytes.extend([0; 4]); // the header's CRC, below
        bytes.extend(self.payload_crc.to_le_bytes());
        bytes.extend(((self.packed_bytes() - u64::from(size)) as u32).to_le_bytes());
        bytes.extend((self.entries.len() as u32).to_le_bytes());
        let shape = &self.shape;
        let shared = if shape.shared_classifier { FLAG_SHARED } else { 0 };
        let engine = if self.engine == EngineKind::Sectorllm { FLAG_SECTORLLM } else { 0 };
        let sizes = [
            shape.dim,
            shape.hidden_dim,
            shape.n_layers,
            shape.n_heads,
            shape.n_kv_heads,
            shape.vocab_size,
            shape.seq_len,
            (shared | engine) as usize,
        ];
        bytes.extend(sizes.iter().flat_map(|&size| (size as u32).to_le_bytes()));
        bytes.extend(super::fit_name(&self.name).bytes());
        bytes.resize(HEADER_PREFIX, 0);
        bytes.extend(self.entries.iter().flat_map(encode));
        bytes.resize(size as usize, 0);
        let mut crc = Crc32::new();
        crc.update(&bytes[CRC_FROM..]);
        bytes[16..20].copy_from_slice(&crc.finish().to_le_bytes());
        bytes
    }
}

/// A directory entry: eight words; kind and layer share the first.
fn encode(entry: &Entry) -> [u8; ENTRY_BYTES] {
    let words = [
        entry.kind as u32 | u32::from(entry.layer) << 16,
        entry.rows,
        entry.cols,
        entry.exponent as u32,
        entry.fraction_bits as u32,
        entry.offset,
        entry.bytes() as u32,
        0,
    ];
    bytemuck::cast(words)
}

/// The 32-bit number at a byte offset that is within bounds.
fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}
