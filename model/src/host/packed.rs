//! The packed model as bytes: how it is written, and read from a file.
use super::quantize::QuantizedMatrix;
use crate::crc32::CRC32_OF_MANY;
use crate::engine::EngineKind;
use crate::packed::header::{FLAG_SECTORLLM, FLAG_SHARED, Line, Prefix, crc_of};
use crate::packed::{Entry, HEADER_PREFIX, Kind, MAGIC, NAME_BYTES, Packed, PackedHeader, VERSION};
use crate::shape::Shape;
use crate::source::Source;
use bytemuck::{Zeroable, bytes_of, cast_slice, cast_slice_mut};
use std::ops::Range;

impl Packed {
    /// Writes the packed model as a disk holds it.
    ///
    /// # Errors
    /// What the writer says.
    pub fn write_to(&self, out: &mut impl std::io::Write) -> std::io::Result<()> {
        out.write_all(&self.header.to_bytes())?;
        out.write_all(cast_slice(&self.payload))
    }

    /// Puts a matrix in the place of entry `at`'s, with the same coding and as many rows and columns. Then
    /// [`Packed::seal`].
    pub fn replace_matrix(&mut self, at: usize, matrix: &QuantizedMatrix) {
        let entry = &mut self.header.entries[at];
        assert_eq!(entry.coding, matrix.coding);
        entry.exponent = matrix.exponent;
        entry.fraction_bits = matrix.fraction_bits;
        self.tensor_mut(at).copy_from_slice(&[cast_slice(&matrix.scales), matrix.blocks()].concat());
    }

    /// The number of the entry that is a layer's tensor; of those that are in no layer, layer 0's.
    pub fn position(&self, kind: Kind, layer: usize) -> Option<usize> {
        let is_it = |entry: &Entry| (entry.kind, usize::from(entry.layer)) == (kind, layer);
        self.header.entries.iter().position(is_it)
    }

    /// The bytes of entry `at`'s tensor.
    pub fn tensor(&self, at: usize) -> &[u8] {
        &cast_slice(&self.payload)[self.place(at)]
    }

    /// The same, to be changed. Then [`Packed::seal`].
    pub fn tensor_mut(&mut self, at: usize) -> &mut [u8] {
        let place = self.place(at);
        &mut cast_slice_mut(&mut self.payload)[place]
    }

    /// Where entry `at`'s tensor is in the payload.
    fn place(&self, at: usize) -> Range<usize> {
        let entry = &self.header.entries[at];
        let start = (entry.offset - PackedHeader::bytes_for(self.header.entries.len())) as usize;
        start..start + entry.bytes() as usize
    }

    /// Has the header tell the CRC of what the tensors are now.
    pub fn seal(&mut self) {
        self.header.payload_crc = CRC32_OF_MANY.checksum(cast_slice(&self.payload));
    }

    /// The packed model as a disk holds it.
    pub fn to_bytes(&self) -> Vec<u8> {
        [&self.header.to_bytes(), cast_slice(&self.payload)].concat()
    }
}

impl PackedHeader {
    /// The header's bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let Shape { dim, hidden_dim, n_layers, n_heads, n_kv_heads, vocab_size, seq_len, .. } = self.shape;
        let shared = if self.shape.shared_classifier { FLAG_SHARED } else { 0 };
        let engine = if self.engine == EngineKind::Sectorllm { FLAG_SECTORLLM } else { 0 };
        let header_bytes = Self::bytes_for(self.entries.len());
        let mut name = [0; NAME_BYTES];
        let given = fit_name(&self.name);
        name[..given.len()].copy_from_slice(given.as_bytes());
        let mut prefix = Prefix {
            magic: MAGIC,
            version: VERSION,
            header_bytes,
            header_crc: 0,
            payload_crc: self.payload_crc,
            payload_bytes: self.payload_bytes() as u32,
            entries: self.entries.len() as u32,
            sizes: [dim, hidden_dim, n_layers, n_heads, n_kv_heads, vocab_size, seq_len]
                .map(|size| size as u32),
            flags: shared | engine,
            name,
            head_size: self.shape.head_size as u32,
            residual_bits: self.norm.residual_bits as u32,
            epsilon: [self.norm.epsilon.mantissa, self.norm.epsilon.exponent as u32],
            zeros: [0; 4],
        };
        let mut lines: Vec<Line> = self.entries.iter().map(Line::of).collect();
        lines.resize((header_bytes as usize - HEADER_PREFIX) / size_of::<Line>(), Line::zeroed());
        prefix.header_crc = crc_of(&prefix, &lines);
        [bytes_of(&prefix), cast_slice(&lines)].concat()
    }
}

/// Cuts a model's name to the bytes that the header has for it.
pub fn fit_name(name: &str) -> String {
    let mut end = name.len().min(NAME_BYTES);
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    String::from(&name[..end])
}

/// A packed model in a file or any other reader.
pub struct Reader<R>(pub R);

impl<R: std::io::Read> Source for Reader<R> {
    type Error = std::io::Error;

    fn read(&mut self, out: &mut [u8]) -> std::io::Result<()> {
        self.0.read_exact(out)
    }
}
