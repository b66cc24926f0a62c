//! The model to be compared, in every form that an engine needs.
use std::io::Cursor;

use model::{
    encoder::{EncodeError, Encoder},
    engine::{Engine, EngineError},
    host::{checkpoint::CheckpointError, fp32::Weights},
    int8::Int8,
    matmul::Kernel,
    packed::{Kind, Model, PackedError, PackedHeader},
    sector::Sector,
    settings::EngineKind,
    source::EndOfSource,
};

use crate::packing::{PackInput, PackingError};

/// Why a model cannot be compared.
#[derive(Debug, thiserror::Error)]
pub enum SubjectError {
    /// It cannot be packed.
    #[error(transparent)]
    Packing(#[from] PackingError),
    /// The checkpoint's weights cannot be read.
    #[error("{file}: {cause}")]
    Weights {
        /// The checkpoint.
        file: String,
        /// What is wrong with it.
        cause: CheckpointError,
    },
    /// What was packed cannot be loaded: an error of this program.
    #[error("the packed model cannot be loaded: {0}")]
    Load(#[from] PackedError<EndOfSource>),
}

/// A model as checkpoint and packed.
pub struct Subject {
    /// Its name.
    pub name: String,
    /// The checkpoint's weights, for fp32.
    pub weights: Weights,
    /// The packed model's header.
    pub header: PackedHeader,
    /// The packed model, for the integer engines.
    pub model: Model,
    /// The packed model as the disk holds it.
    pub packed: Vec<u8>,
}

impl Subject {
    /// Reads and packs a model.
    ///
    /// # Errors
    /// A checkpoint that cannot be read or packed.
    pub fn new(mut input: PackInput) -> Result<Self, SubjectError> {
        let weights = Weights::read(&mut input.checkpoint)
            .map_err(|cause| SubjectError::Weights { file: input.file.clone(), cause })?;
        let mut packed = Cursor::new(Vec::new());
        input.pack_into(&mut packed)?;
        let packed = packed.into_inner();
        let mut source = &packed[..];
        let header = PackedHeader::read(&mut source)?;
        let model = Model::load(&header, &mut source)?;
        Ok(Self { name: input.name, weights, header, model, packed })
    }

    /// The engines that can run this model, and a sentence for each that cannot.
    pub fn engines(&self) -> (Vec<EngineKind>, Vec<String>) {
        let (mut can, mut cannot) = (Vec::new(), Vec::new());
        for kind in [EngineKind::Int8, EngineKind::Sector] {
            match self.engine(kind, 1) {
                Ok(_) => can.push(kind),
                Err(error) => cannot.push(format!("{} is left out: {error}", super::engine_name(kind))),
            }
        }
        (can, cannot)
    }

    /// An integer engine on this model, with the host's fastest kernel.
    ///
    /// # Errors
    /// Where the engine cannot run this model.
    pub fn engine(&self, kind: EngineKind, context: usize) -> Result<Box<dyn Engine + '_>, EngineError> {
        Ok(match kind {
            EngineKind::Int8 => Box::new(Int8::new(&self.model, context, Kernel::best())?),
            EngineKind::Sector => Box::new(Sector::new(&self.model, context)?),
        })
    }

    /// The model's encoder.
    ///
    /// # Errors
    /// Where there is no memory for its table.
    pub fn encoder(&self) -> Result<Encoder<'_>, EncodeError> {
        Encoder::new(&self.model.tokenizer)
    }

    /// Bytes of the model's numbers in an engine's form, without tokenizer.
    pub fn bytes(&self, engine: &str) -> u64 {
        let of = |wanted: &dyn Fn(Kind) -> bool| {
            self.header.entries.iter().filter(|entry| wanted(entry.kind)).map(|entry| entry.bytes()).sum()
        };
        match engine {
            "int8" => of(&|kind| !matches!(kind, Kind::Tokenizer | Kind::Sector)),
            "sector" => of(&|kind| kind == Kind::Sector),
            _ => 4 * self.weights.shape.parameters(),
        }
    }
}
