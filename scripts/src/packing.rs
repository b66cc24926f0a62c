//! A checkpoint and its tokenizer, opened and ready to be packed.
use std::{
    fs::File,
    io::{BufReader, Cursor, Read, Seek, Write},
    path::Path,
};

use indicatif::{ProgressBar, ProgressStyle};
use model::{
    engine::EngineKind,
    host::{
        checkpoint::{Checkpoint, CheckpointError},
        pack::{PackError, pack},
        packed::fit_name,
    },
    packed::{Packed, PackedHeader},
    shape::Shape,
    tokenizer::{Tokenizer, TokenizerError},
};

use crate::models::{Folders, Found, ModelFile, ModelsError};

/// Where a checkpoint's bytes come from.
pub trait ReadSeek: Read + Seek {}
impl<T: Read + Seek> ReadSeek for T {}

/// Why a model cannot be packed. Each names the file.
#[derive(Debug, thiserror::Error)]
pub enum PackingError {
    /// A file is not there.
    #[error(transparent)]
    Models(#[from] ModelsError),
    /// The checkpoint is not good.
    #[error("{file}: {cause}")]
    Checkpoint {
        /// The checkpoint.
        file: String,
        /// What is wrong with it.
        cause: CheckpointError,
    },
    /// The tokenizer is not good, or belongs to another model.
    #[error("{file}: {cause}")]
    Tokenizer {
        /// The tokenizer.
        file: String,
        /// What is wrong with it.
        cause: TokenizerError,
    },
    /// The packed model could not be made.
    #[error("{file}: {cause}")]
    Pack {
        /// The checkpoint.
        file: String,
        /// What went wrong.
        cause: PackError,
    },
}

/// A checkpoint and its tokenizer.
pub struct PackInput {
    /// The model's name.
    pub name: String,
    /// What a person would call the checkpoint's file.
    pub file: String,
    /// The checkpoint.
    pub checkpoint: Checkpoint<Box<dyn ReadSeek>>,
    /// The tokenizer's file.
    pub tokenizer: Vec<u8>,
}

impl PackInput {
    /// Opens a model's checkpoint, and the tokenizer that was named or is found for it.
    ///
    /// # Errors
    /// Where one of the two is missing or broken, or they do not belong together.
    pub fn open(found: &Found, tokenizer: Option<&Path>, folders: &Folders) -> Result<Self, PackingError> {
        let file = found.checkpoint.name();
        let reader: Box<dyn ReadSeek> = match &found.checkpoint {
            ModelFile::BuiltIn(_, bytes) => Box::new(Cursor::new(*bytes)),
            ModelFile::OnDisk(path) => Box::new(BufReader::new(
                File::open(path).map_err(|cause| ModelsError::Read { path: path.clone(), cause })?,
            )),
        };
        let checkpoint = Checkpoint::open(reader)
            .map_err(|cause| PackingError::Checkpoint { file: file.clone(), cause })?;
        let pieces = checkpoint.shape().vocab_size;
        let tokenizer = match tokenizer {
            Some(path) => ModelFile::OnDisk(path.into()),
            None => folders.find_tokenizer(found, pieces)?,
        };
        let bytes = tokenizer.read()?;
        Tokenizer::parse(&bytes, pieces)
            .map_err(|cause| PackingError::Tokenizer { file: tokenizer.name(), cause })?;
        Ok(Self { name: found.name.clone(), file, checkpoint, tokenizer: bytes })
    }

    /// The model's shape.
    pub fn shape(&self) -> Shape {
        self.checkpoint.shape()
    }

    /// Quantizes and packs the model for an engine into `out`, from where it stands on.
    ///
    /// # Errors
    /// Where the checkpoint holds what cannot be packed, or `out` cannot be written.
    pub fn pack_into<W: Write + Seek>(
        &mut self,
        engine: EngineKind,
        out: &mut W,
    ) -> Result<PackedHeader, PackingError> {
        let bar = ProgressBar::new(0);
        let style = "Packing {msg} {wide_bar} {bytes}/{total_bytes}";
        bar.set_style(ProgressStyle::with_template(style).expect("the template above is right"));
        bar.set_message(self.name.clone());
        let progress = |done, total| {
            bar.set_length(total);
            bar.set_position(done);
        };
        let packed =
            pack(engine, &mut self.checkpoint, &self.tokenizer, &fit_name(&self.name), out, progress);
        bar.finish_and_clear();
        packed.map_err(|cause| PackingError::Pack { file: self.file.clone(), cause })
    }

    /// The same in memory, for this program's own engines.
    ///
    /// # Errors
    /// As [`PackInput::pack_into`].
    pub fn pack_in_memory(&mut self, engine: EngineKind) -> Result<Packed, PackingError> {
        let mut out = Cursor::new(Vec::new());
        self.pack_into(engine, &mut out)?;
        Ok(Packed::read(&mut &out.into_inner()[..]).expect("what was just packed can be read"))
    }
}
