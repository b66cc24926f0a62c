//! A checkpoint and its vocabulary, opened and ready to be packed.
use std::{
    fs::File,
    io::{BufReader, Cursor, Read, Seek, Write},
    path::{Path, PathBuf},
};

use indicatif::{ProgressBar, ProgressStyle};
use model::{
    engine::EngineKind,
    host::{
        checkpoint::{Checkpoint, CheckpointError},
        gguf::check_file_name,
        pack::{PackError, pack, plan},
        packed::fit_name,
        vocabulary::{TokenizerError, llama2c, pack_gguf},
    },
    packed::{Packed, PackedHeader},
    shape::Shape,
    vocabulary::Vocabulary,
};

use crate::kept::Kept;
use crate::models::{Folders, Found, ModelFile, ModelsError};
use crate::{
    calibration,
    refining::{Refining, refine_requested, refine_small},
};

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
    /// The tokenizer belongs to another model.
    #[error(
        "{file}: the tokenizer has {pieces} pieces, the model has {vocab_size} tokens; name the model's own tokenizer"
    )]
    PieceCount {
        /// The tokenizer.
        file: String,
        /// Pieces found.
        pieces: usize,
        /// Tokens of the model.
        vocab_size: usize,
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

/// The most tokens of context that are packed, where a model has more: its cache would take most of a PC's memory.
const MOST_CONTEXT: usize = 2048;
/// The most memory that a model shall need: QEMU's q35 keeps 2,815 MiB in one piece below 4 GB (hw/i386/pc_q35.c),
/// and firmware and programs need some of it.
const MOST_MEMORY: u64 = 2768 << 20;

/// Takes the context that a model is packed with where nobody asks for another: its own, 2,048 tokens or what
/// fits a PC, whichever is least. Where nothing fits the machine says what is missing.
pub fn limit_to_what_fits<R: Read + Seek>(checkpoint: &mut Checkpoint<R>, vocabulary: &[u32]) {
    checkpoint.limit_context(MOST_CONTEXT);
    let shape = checkpoint.shape();
    let contexts: Vec<usize> = (1..=shape.seq_len).collect();
    let fits = |&seq_len: &usize| {
        let header = plan(EngineKind::Int8, checkpoint, Shape { seq_len, ..shape }, vocabulary);
        header.is_ok_and(|header| header.memory(seq_len).total() <= MOST_MEMORY)
    };
    let fitting = contexts.partition_point(fits);
    checkpoint.limit_context(fitting.max(1));
}

/// llama2.c's tokenizer in a file, packed, and the file's name.
fn packed_file(file: &ModelFile) -> Result<(String, Result<Vec<u32>, TokenizerError>), ModelsError> {
    Ok((file.name(), llama2c::pack(&file.read()?)))
}

/// A checkpoint and its vocabulary.
pub struct PackInput {
    /// The model's name.
    pub name: String,
    /// What a person would call the checkpoint's file.
    pub file: String,
    /// The checkpoint.
    pub checkpoint: Checkpoint<Box<dyn ReadSeek>>,
    /// Whether somebody asked that its weights be refined for the int8 engine ([`crate::refining`]).
    pub refine: bool,
    /// Where the checkpoint is, if it is a file.
    path: Option<PathBuf>,
    /// Its vocabulary, packed.
    vocabulary: Vec<u32>,
}

impl PackInput {
    /// Opens a model's checkpoint, and the tokenizer that was named, that it carries or that is found for it.
    ///
    /// # Errors
    /// Where one of the two is missing or broken, or they do not belong together.
    pub fn open(
        found: &Found,
        tokenizer: Option<&Path>,
        context: Option<u32>,
        folders: &Folders,
    ) -> Result<Self, PackingError> {
        let file = found.checkpoint.name();
        let reader: Box<dyn ReadSeek> = match &found.checkpoint {
            ModelFile::BuiltIn(_, bytes) => Box::new(Cursor::new(*bytes)),
            ModelFile::OnDisk(path) => Box::new(BufReader::new(
                File::open(path).map_err(|cause| ModelsError::Read { path: path.clone(), cause })?,
            )),
        };
        let broken = |cause| PackingError::Checkpoint { file: file.clone(), cause };
        check_file_name(&file).map_err(|cause| broken(cause.into()))?;
        let mut checkpoint = Checkpoint::open(reader).map_err(broken)?;
        let (source, words) = match (&checkpoint, tokenizer) {
            (Checkpoint::Gguf(gguf), None) => (file.clone(), pack_gguf(&gguf.vocabulary().map_err(broken)?)),
            (_, Some(path)) => packed_file(&ModelFile::OnDisk(path.into()))?,
            (_, None) => packed_file(&folders.find_tokenizer(found, checkpoint.shape().vocab_size)?)?,
        };
        let wrong = |cause| PackingError::Tokenizer { file: source.clone(), cause };
        let vocabulary = words.map_err(wrong)?;
        let (pieces, vocab_size) = (vocabulary[0] as usize, checkpoint.shape().vocab_size);
        if pieces != vocab_size {
            return Err(PackingError::PieceCount { file: source, pieces, vocab_size });
        }
        match context {
            Some(tokens) => checkpoint.limit_context(tokens as usize),
            None => limit_to_what_fits(&mut checkpoint, &vocabulary),
        }
        let path = match &found.checkpoint {
            ModelFile::OnDisk(path) => Some(path.clone()),
            ModelFile::BuiltIn(..) => None,
        };
        Ok(Self { name: found.name.clone(), file, checkpoint, refine: false, path, vocabulary })
    }

    /// The model's vocabulary.
    ///
    /// # Panics
    /// Never: it was packed here.
    pub fn vocabulary(&self) -> Vocabulary<'_> {
        Vocabulary::parse(&self.vocabulary, self.shape().vocab_size).expect("what was just packed is good")
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
        if !self.is_calibrated(engine) && self.refining(engine) == Refining::No {
            return self.pack_as_it_is(engine, out);
        }
        let packed = self.pack_in_memory(engine)?;
        let failed = |cause| PackingError::Pack { file: self.file.clone(), cause: PackError::Write(cause) };
        packed.write_to(out).map_err(failed)?;
        Ok(packed.header)
    }

    /// The same in memory, for this program's own engines.
    ///
    /// # Errors
    /// As [`PackInput::pack_into`].
    pub fn pack_in_memory(&mut self, engine: EngineKind) -> Result<Packed, PackingError> {
        let mut out = Cursor::new(Vec::new());
        self.pack_as_it_is(engine, &mut out)?;
        let mut packed = Packed::read(&mut &out.into_inner()[..]).expect("what was just packed can be read");
        let refining = self.refining(engine);
        let kept = match self.is_calibrated(engine) || refining == Refining::Requested {
            true => self.path.as_deref().and_then(Kept::of),
            false => None,
        };
        if self.is_calibrated(engine) {
            calibration::apply(&mut packed, &self.name, kept.as_ref());
        }
        let (checkpoint, name) = (&mut self.checkpoint, &self.name);
        let refined = match refining {
            Refining::No => Ok(()),
            Refining::Small => refine_small(&mut packed, checkpoint, name, self.refine),
            Refining::Requested => refine_requested(&mut packed, checkpoint, name, kept.as_ref()),
        };
        refined.map_err(|cause| PackingError::Checkpoint { file: self.file.clone(), cause })?;
        Ok(packed)
    }

    /// llama2.c's models are known to need no more than Q16.16 holds.
    fn is_calibrated(&self, engine: EngineKind) -> bool {
        engine == EngineKind::Int8 && matches!(self.checkpoint, Checkpoint::Gguf(_))
    }

    fn refining(&self, engine: EngineKind) -> Refining {
        match engine {
            EngineKind::Int8 => Refining::of(&self.checkpoint, self.refine),
            _ => Refining::No,
        }
    }

    fn pack_as_it_is<W: Write + Seek>(
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
            pack(engine, &mut self.checkpoint, &self.vocabulary, &fit_name(&self.name), out, progress);
        bar.finish_and_clear();
        packed.map_err(|cause| PackingError::Pack { file: self.file.clone(), cause })
    }
}
