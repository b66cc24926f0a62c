//! What the loader says of the machine and the model: one fact a line, none wider than the screen for
//! any published model.
use crate::memory_plan::MiB;
use core::fmt;
use firmware::e820::{MemoryMap, UsableRegion};
use map::low_memory::{PROGRAM_CODE, PROGRAM_DATA};
use map::program_header::ProgramHeader;
use model::shape::Shape;
use protocol::decimal::Places;

/// The memory that the model gets, and what the BIOS's map says beside it.
pub struct MemoryLine<'m> {
    /// The map.
    pub map: &'m MemoryMap,
    /// What was chosen of it.
    pub region: UsableRegion,
}

impl fmt::Display for MemoryLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let UsableRegion { start, end } = self.region;
        let (usable, reserved) = self.map.count();
        let size = MiB(self.region.size().into());
        write!(f, "{size} at {start:#x}-{end:#x} (BIOS's map: {usable} usable, {reserved} reserved)")
    }
}

/// A shape with the names of its numbers.
pub struct ShapeLine<'s>(pub &'s Shape);

impl fmt::Display for ShapeLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Shape { dim, hidden_dim, n_layers, n_heads, n_kv_heads, vocab_size, seq_len, .. } = self.0;
        write!(f, "dim {dim}, hidden {hidden_dim}, layers {n_layers}, heads {n_heads}/{n_kv_heads}, ")?;
        write!(f, "vocab {vocab_size}, context {seq_len}")
    }
}

/// A number of parameters in millions, with two decimals.
pub struct Millions(pub u64);

impl fmt::Display for Millions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hundredths = (self.0 + 5_000) / 10_000;
        write!(f, "{} million", Places { number: hundredths as u32, places: 2 })
    }
}

/// Where each part begins. The stack begins where the kernel's data ends.
pub struct PlacesLine {
    /// The kernel's header.
    pub kernel: ProgramHeader,
    /// The first tensor.
    pub model: u32,
    /// The key/value cache.
    pub cache: u32,
}

impl fmt::Display for PlacesLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kernel, model, cache } = self;
        let (data, code) = (PROGRAM_DATA.start, PROGRAM_CODE.start);
        let stack = data + kernel.data_bytes;
        write!(f, "{data:#x} data, {stack:#x} stack, {code:#x} code, {model:#x} model, {cache:#x} cache")
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use firmware::e820::{Entry, USABLE};
    use std::string::ToString;
    use terminal::screen::COLUMNS;

    /// Columns of the name in front of each line.
    const NAME: usize = 8;

    #[test]
    fn the_largest_published_shape_fits_a_row() {
        let (dim, hidden_dim) = (768, 2048);
        let shape = Shape {
            dim,
            hidden_dim,
            n_layers: 12,
            n_heads: 12,
            n_kv_heads: 12,
            head_size: 64,
            vocab_size: 32_000,
            seq_len: 1024,
            shared_classifier: true,
        };
        let line = ShapeLine(&shape).to_string();
        assert_eq!(line, "dim 768, hidden 2048, layers 12, heads 12/12, vocab 32000, context 1024");
        assert!(NAME + line.len() <= COLUMNS);
        assert_eq!(Millions(shape.parameters()).to_string(), "109.53 million");
    }

    #[test]
    fn the_places_of_a_pc_with_3_gb_fit_a_row() {
        let kernel = ProgramHeader { magic: 0, crc: 0, data_bytes: 0x9001, code_bytes: 0xFFFF, build: 0 };
        let line = PlacesLine { kernel, model: 0x12_0000, cache: 0x7A0_0000 }.to_string();
        assert_eq!(line, "0x1000 data, 0xa001 stack, 0x10000 code, 0x120000 model, 0x7a00000 cache");
        assert!(NAME + line.len() <= COLUMNS);
        let mut map = MemoryMap::new();
        let region = UsableRegion { start: 1 << 20, end: 0xBFFE_0000 };
        map.push(&Entry { base: 1 << 20, length: 0xBFEE_0000, kind: USABLE, ..Entry::EMPTY });
        map.push(&Entry { base: 0xBFFE_0000, length: 0x2_0000, kind: 2, ..Entry::EMPTY });
        let line = MemoryLine { map: &map, region }.to_string();
        assert_eq!(line, "3070.9 MiB at 0x100000-0xbffe0000 (BIOS's map: 1 usable, 1 reserved)");
        assert!(NAME + line.len() <= COLUMNS);
    }
}
