//! The packed model as bytes: how it is written, and read from a file.
use crate::engine::EngineKind;
use crate::packed::header::{FLAG_SECTORLLM, FLAG_SHARED, Line, Prefix, crc_of};
use crate::packed::{HEADER_PREFIX, MAGIC, NAME_BYTES, Packed, PackedHeader, VERSION};
use crate::shape::Shape;
use crate::source::Source;
use bytemuck::{Zeroable, bytes_of, cast_slice};

impl Packed {
    /// Writes the packed model as a disk holds it.
    ///
    /// # Errors
    /// What the writer says.
    pub fn write_to(&self, out: &mut impl std::io::Write) -> std::io::Result<()> {
        out.write_all(&self.header.to_bytes())?;
        out.write_all(cast_slice(&self.payload))
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
