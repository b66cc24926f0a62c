//! The model to be compared, in every form that an engine needs.
use model::{
    engine::{Engine, EngineError, EngineKind},
    host::{checkpoint::CheckpointError, fp32::Weights},
    int8::Int8,
    packed::{Kind, Packed, Text},
    sectorllm::Sectorllm,
    simd::Simd,
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
}

/// A model as checkpoint and packed.
pub struct Subject {
    /// Its name.
    pub name: String,
    /// The checkpoint's weights, for fp32.
    pub weights: Weights,
    /// Packed for each engine that can run it.
    packed: Vec<Packed>,
    /// Why an engine is left out.
    left_out: Vec<String>,
}

impl Subject {
    /// Reads and packs a model.
    ///
    /// # Errors
    /// A checkpoint that cannot be read or packed.
    pub fn new(mut input: PackInput) -> Result<Self, SubjectError> {
        let weights = Weights::read(&mut input.checkpoint)
            .map_err(|cause| SubjectError::Weights { file: input.file.clone(), cause })?;
        let mut packed = vec![input.pack_in_memory(EngineKind::Int8)?];
        let mut left_out = Vec::new();
        match input.pack_in_memory(EngineKind::Sectorllm) {
            Ok(sectorllm) => packed.push(sectorllm),
            Err(PackingError::Pack { cause, .. }) => {
                left_out.push(format!("{} is left out: {cause}", EngineKind::Sectorllm.name()));
            }
            Err(error) => return Err(error.into()),
        }
        Ok(Self { name: input.name, weights, packed, left_out })
    }

    /// The engines that can run this model, and a sentence for each that cannot.
    pub fn engines(&self) -> (Vec<EngineKind>, &[String]) {
        (self.packed.iter().map(|packed| packed.header.engine).collect(), &self.left_out)
    }

    /// The model packed for an engine.
    ///
    /// # Panics
    /// For an engine that is not one of [`Subject::engines`].
    pub fn packed(&self, kind: EngineKind) -> &Packed {
        let found = self.packed.iter().find(|packed| packed.header.engine == kind);
        found.expect("an engine that can run this model")
    }

    /// An integer engine on this model, with the host's fastest instructions.
    ///
    /// # Errors
    /// Where the engine cannot run this model.
    pub fn engine(&self, kind: EngineKind, context: usize) -> Result<Box<dyn Engine + '_>, EngineError> {
        let packed = self.packed(kind);
        Ok(match (packed.model(), packed.sectorllm()) {
            (Some(model), _) => Box::new(Int8::new(model, context, Simd::best())?),
            (None, weights) => Box::new(Sectorllm::new(weights.expect("one of the two"), context)?),
        })
    }

    /// What both engines have.
    ///
    /// # Panics
    /// Never: the tokenizer was checked when the model was packed.
    pub fn text(&self) -> Text<'_> {
        self.packed[0].text().expect("the packer has checked the tokenizer")
    }

    /// Bytes of the model's numbers in an engine's form, without tokenizer.
    pub fn bytes(&self, kind: Option<EngineKind>) -> u64 {
        let Some(kind) = kind else { return 4 * self.weights.shape.parameters() };
        let entries = self.packed(kind).header.entries.iter();
        entries.filter(|entry| entry.kind != Kind::Vocabulary).map(|entry| entry.bytes()).sum()
    }
}
