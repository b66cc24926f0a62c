//! The header: magic, CRCs, shape, name, tensor directory.
use super::PackedError;
use super::layout::{Entry, TENSOR_ALIGN, layout};
use crate::crc32::CRC32;
use crate::engine::EngineKind;
use crate::fixed::Scale;
use crate::matrix::Coding;
use crate::norm::RmsNorm;
use crate::shape::Shape;
use crate::source::Source;
use alloc::string::String;
use alloc::vec::Vec;
use bytemuck::{Pod, Zeroable, bytes_of, bytes_of_mut, cast_slice, cast_slice_mut};

/// What a packed model begins with.
pub const MAGIC: [u8; 8] = *b"unreallm";
/// The version of the format.
pub const VERSION: u32 = 6;
/// Bytes of the header before the directory.
pub const HEADER_PREFIX: usize = size_of::<Prefix>();
/// Bytes for the model's name.
pub const NAME_BYTES: usize = 64;
/// Where the part begins that the header's CRC is over.
const CRC_FROM: usize = 20;
/// No header is larger: 4,096 layers of 6 tensors take 786,432 bytes.
const MAX_HEADER: usize = 1 << 20;
/// Flag: the classifier is also the embedding.
pub(crate) const FLAG_SHARED: u32 = 1 << 0;
/// Flag: the weights are those of the 1356-byte mode.
pub(crate) const FLAG_SECTORLLM: u32 = 1 << 1;

/// The header before the directory.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
pub(crate) struct Prefix {
    pub magic: [u8; 8],
    pub version: u32,
    /// Bytes of the header with its directory.
    pub header_bytes: u32,
    /// CRC-32 of the header from `payload_crc` on.
    pub header_crc: u32,
    pub payload_crc: u32,
    pub payload_bytes: u32,
    pub entries: u32,
    /// dim, hidden_dim, n_layers, n_heads, n_kv_heads, vocab_size, seq_len.
    pub sizes: [u32; 7],
    pub flags: u32,
    /// UTF-8, filled up with NULs.
    pub name: [u8; NAME_BYTES],
    pub head_size: u32,
    /// Fraction bits of the residual stream.
    pub residual_bits: u32,
    /// ε in RMSNorm: a [`Scale`].
    pub epsilon: [u32; 2],
    pub zeros: [u32; 4],
}

const _: () = assert!(HEADER_PREFIX == 160 && core::mem::offset_of!(Prefix, payload_crc) == CRC_FROM);

/// A line of the directory: an [`Entry`] as the file holds it.
#[derive(Clone, Copy, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub(crate) struct Line {
    kind: u16,
    layer: u16,
    rows: u32,
    cols: u32,
    exponent: i32,
    fraction_bits: i32,
    offset: u32,
    bytes: u32,
    coding: u32,
}

impl Line {
    pub(crate) fn of(entry: &Entry) -> Self {
        let Entry { kind, layer, rows, cols, exponent, fraction_bits, coding, offset } = *entry;
        let (kind, bytes, coding) = (kind as u16, entry.bytes() as u32, coding.number());
        Self { kind, layer, rows, cols, exponent, fraction_bits, offset, bytes, coding }
    }
}

/// Everything about a packed model but its tensors.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PackedHeader {
    /// The engine that its weights are for.
    pub engine: EngineKind,
    /// The model's shape.
    pub shape: Shape,
    /// What RMSNorm needs to know.
    pub norm: RmsNorm,
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
        (HEADER_PREFIX + entries * size_of::<Line>()).next_multiple_of(TENSOR_ALIGN as usize) as u32
    }

    /// Length of the packed model in bytes, header included.
    pub fn packed_bytes(&self) -> u64 {
        u64::from(Self::bytes_for(self.entries.len())) + self.payload_bytes()
    }

    /// Bytes of all tensors, with what fills up to the next.
    pub fn payload_bytes(&self) -> u64 {
        self.entries.iter().map(Entry::padded_bytes).sum()
    }

    /// Reads and checks a header; the source is then at the first tensor.
    pub fn read<S: Source>(source: &mut S) -> Result<Self, PackedError<S::Error>> {
        let mut prefix = Prefix::zeroed();
        source.read(bytes_of_mut(&mut prefix)).map_err(PackedError::Read)?;
        if prefix.magic != MAGIC {
            return Err(PackedError::Magic);
        }
        if prefix.version != VERSION {
            return Err(PackedError::Version(prefix.version));
        }
        let size = prefix.header_bytes as usize;
        if !(HEADER_PREFIX..=MAX_HEADER).contains(&size) || !size.is_multiple_of(TENSOR_ALIGN as usize) {
            return Err(PackedError::HeaderSize(prefix.header_bytes));
        }
        let mut lines = alloc::vec![Line::zeroed(); (size - HEADER_PREFIX) / size_of::<Line>()];
        source.read(cast_slice_mut(&mut lines)).map_err(PackedError::Read)?;
        let (expected, found) = (prefix.header_crc, crc_of(&prefix, &lines));
        if found != expected {
            return Err(PackedError::Crc { part: "header", expected, found });
        }
        Self::parse(&prefix, &lines)
    }

    /// Takes over what a header says whose CRC is right.
    fn parse<E>(prefix: &Prefix, lines: &[Line]) -> Result<Self, PackedError<E>> {
        let [dim, hidden_dim, n_layers, n_heads, n_kv_heads, vocab_size, seq_len] =
            prefix.sizes.map(|size| size as usize);
        let shared_classifier = prefix.flags & FLAG_SHARED != 0;
        let head_size = prefix.head_size as usize;
        let shape = Shape {
            dim,
            hidden_dim,
            n_layers,
            n_heads,
            n_kv_heads,
            head_size,
            vocab_size,
            seq_len,
            shared_classifier,
        };
        shape.check().map_err(PackedError::Shape)?;
        let [mantissa, exponent] = prefix.epsilon;
        let epsilon = Scale { mantissa, exponent: exponent as i32 };
        let norm = RmsNorm { residual_bits: prefix.residual_bits as i32, epsilon };
        if !norm.is_valid() || prefix.zeros != [0; 4] {
            return Err(PackedError::Norm);
        }
        let is_sectorllm = prefix.flags & FLAG_SECTORLLM != 0;
        let engine = if is_sectorllm { EngineKind::Sectorllm } else { EngineKind::Int8 };
        let name = prefix.name.split(|&byte| byte == 0).next().unwrap_or_default();
        let name = core::str::from_utf8(name).map_err(|_| PackedError::Name)?;
        // The directory must be the one that the shape asks for; only what the packer chooses is
        // taken from it, and the vocabulary's size, which stands in the first entry.
        let count = prefix.entries as usize;
        let wrong = |entry| PackedError::Directory { entry };
        if count == 0 || count > lines.len() || Self::bytes_for(count) != prefix.header_bytes {
            return Err(wrong(count));
        }
        // The vocabulary is read as words.
        if !(lines[0].cols as usize).is_multiple_of(size_of::<u32>()) {
            return Err(wrong(0));
        }
        let coding = |entry: usize, _, _| Coding::from_number(lines.get(entry)?.coding);
        let mut entries = layout(engine, &shape, lines[0].cols, coding, Self::bytes_for)
            .filter(|entries| entries.len() == count)
            .ok_or(wrong(count))?;
        for (i, (entry, line)) in entries.iter_mut().zip(lines).enumerate() {
            (entry.exponent, entry.fraction_bits) = (line.exponent, line.fraction_bits);
            // Not `abs`, which overflows for the lowest number.
            let fits = |exponent: i32| exponent.unsigned_abs() < 1 << 16;
            if !fits(line.exponent) || !fits(line.fraction_bits) || Line::of(entry) != *line {
                return Err(wrong(i));
            }
        }
        let header =
            Self { engine, shape, norm, name: name.into(), payload_crc: prefix.payload_crc, entries };
        if header.payload_bytes() != prefix.payload_bytes.into() {
            return Err(wrong(count));
        }
        Ok(header)
    }
}

/// The CRC of a header, from `payload_crc` on.
pub(crate) fn crc_of(prefix: &Prefix, lines: &[Line]) -> u32 {
    let mut crc = CRC32.digest();
    crc.update(&bytes_of(prefix)[CRC_FROM..]);
    crc.update(cast_slice(lines));
    crc.finalize()
}
