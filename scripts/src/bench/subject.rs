//! A model to be measured: packed once, booted often.
use std::io::Cursor;

use model::packed::{Model, PackedHeader};

use super::BenchError;
use crate::packing::PackInput;

/// A packed model.
pub struct Subject {
    /// Its name.
    pub name: String,
    /// The packed model's header.
    pub header: PackedHeader,
    /// The model in this program's memory.
    pub model: Model,
    /// The packed model as the disk holds it.
    pub packed: Vec<u8>,
}

impl Subject {
    /// Packs a model.
    ///
    /// # Errors
    /// A checkpoint that cannot be packed.
    pub fn new(mut input: PackInput) -> Result<Self, BenchError> {
        let mut packed = Cursor::new(Vec::new());
        input.pack_into(&mut packed)?;
        let packed = packed.into_inner();
        let mut source = &packed[..];
        let header = PackedHeader::read(&mut source)?;
        let model = Model::load(&header, &mut source)?;
        Ok(Self { name: input.name, header, model, packed })
    }

    /// Its parameters in millions.
    pub fn millions(&self) -> f64 {
        self.header.shape.parameters() as f64 / 1e6
    }
}
