//! A model to be measured: packed once, booted often.
use model::{engine::EngineKind, packed::Packed};

use super::BenchError;
use crate::packing::PackInput;

/// A packed model.
pub struct Subject {
    /// Its name.
    pub name: String,
    /// The token that a story starts from.
    pub start: u32,
    /// The packed model.
    pub packed: Packed,
}

impl Subject {
    /// Packs a model.
    ///
    /// # Errors
    /// A checkpoint that cannot be packed.
    pub fn new(mut input: PackInput) -> Result<Self, BenchError> {
        let packed = input.pack_in_memory(EngineKind::Int8)?;
        let start = input.vocabulary().start().unwrap_or_default();
        Ok(Self { name: input.name, start, packed })
    }

    /// Its parameters in millions.
    pub fn millions(&self) -> f64 {
        self.packed.header.shape.parameters() as f64 / 1e6
    }
}
