//! A disk image, and what the host's own engine says that a machine must do with it.
use std::{
    collections::HashMap,
    fs,
    io::{Cursor, Read, Seek, Write},
    sync::{Mutex, PoisonError},
};

use model::{
    engine::{Engine, EngineKind},
    generate::{Generator, Options},
    host::{
        checkpoint::Checkpoint,
        gguf::TensorType,
        pack::pack,
        synth::{SyntheticGguf, parse_shape, write_checkpoint},
        vocabulary::{llama2c, pack_gguf},
    },
    int8::Int8,
    packed::Packed,
    sampler::Sampler,
    sectorllm::Sectorllm,
    simd::Simd,
    vocabulary::SpecialTokens,
};
use protocol::{settings::Settings, trace::TraceRecord};
use tempfile::TempDir;
use unreallm::{
    embedded,
    image::{self, Medium},
    machine_code::MachineCode,
    models::{Folders, ModelsError},
    packing::PackInput,
};

use crate::Error;

/// The model that ships with the project: always there.
pub const BUILT_IN: &str = embedded::MODEL_NAME;
/// The model of the published stories: there where the user has it.
pub const PUBLISHED: &str = "stories260K";

/// An image and the story in it.
#[derive(Clone, Debug)]
pub struct Golden {
    /// The disk image.
    pub image: Vec<u8>,
    /// Bytes of the packed model in it.
    pub model_bytes: usize,
    /// The story, as the host's engine tells it.
    pub text: String,
    /// The tokens and CRCs of the logits, as the host's engine calculates them.
    pub trace: Vec<TraceRecord>,
}

/// Settings of a greedy story of `steps` tokens with a trace, after which the machine switches
/// itself off.
pub fn traced(steps: u32) -> Settings {
    Settings { steps, trace: true, exit: true, ..Settings::default() }
}

impl Golden {
    /// An image of a model by name, with the boot sector and kernel of the host program.
    ///
    /// # Errors
    /// [`Error::Missing`] if the model is not on this computer.
    pub fn new(name: &str, settings: &Settings, medium: Medium) -> Result<Self, Error> {
        Self::of_engine(EngineKind::Int8, name, settings, medium)
    }

    /// The same with another engine.
    ///
    /// # Errors
    /// As [`Golden::new`].
    pub fn of_engine(
        engine: EngineKind,
        name: &str,
        settings: &Settings,
        medium: Medium,
    ) -> Result<Self, Error> {
        let code = embedded::machine_code_for(engine);
        Self::of_packed(&packed_for(engine, name)?, &code, settings, medium)
    }

    /// An image of a packed model with any machine code.
    ///
    /// # Errors
    /// [`Error::Answer`] if the host library refuses something.
    pub fn of_packed(
        packed: &[u8],
        code: &MachineCode,
        settings: &Settings,
        medium: Medium,
    ) -> Result<Self, Error> {
        let image = image_of(packed, code, settings, medium)?;
        let (text, trace) = tell(packed, settings)?;
        Ok(Self { image, model_bytes: packed.len(), text, trace })
    }
}

/// An image alone, also one of which the host's engine has nothing to tell.
///
/// # Errors
/// [`Error::Answer`] if the host library refuses something.
pub fn image_of(
    packed: &[u8],
    code: &MachineCode,
    settings: &Settings,
    medium: Medium,
) -> Result<Vec<u8>, Error> {
    let folder = TempDir::with_prefix("unreallm-image-").map_err(Error::io("make a folder"))?;
    let path = folder.path().join("disk.img");
    let sectors = settings.to_sectors().map_err(refused("settings"))?;
    image::write(&path, medium, code, &sectors, |file| std::io::Write::write_all(file, packed))
        .map_err(refused("the image builder"))?;
    fs::read(&path).map_err(Error::io("read the image"))
}

/// [`packed_for`] the int8 engine.
///
/// # Errors
/// As [`packed_for`].
pub fn packed(name: &str) -> Result<Vec<u8>, Error> {
    packed_for(EngineKind::Int8, name)
}

/// A model by name, packed for an engine. Packed once in each run.
///
/// # Errors
/// [`Error::Missing`] if the model is not on this computer.
pub fn packed_for(engine: EngineKind, name: &str) -> Result<Vec<u8>, Error> {
    type Key = (&'static str, String);
    static PACKED: Mutex<Option<HashMap<Key, Vec<u8>>>> = Mutex::new(None);
    let mut all = PACKED.lock().unwrap_or_else(PoisonError::into_inner);
    let all = all.get_or_insert_default();
    let key = (engine.name(), name.to_owned());
    if let Some(packed) = all.get(&key) {
        return Ok(packed.clone());
    }
    let folders = Folders::of_user();
    let found = folders.find(name).map_err(|error| match error {
        ModelsError::NotFound { .. } | ModelsError::NoFile { .. } => {
            Error::Missing { program: format!("the model {name}"), hint: "set UNREALLM_MODELS to its folder" }
        }
        error => refused("looking for the model")(error),
    })?;
    let mut input = PackInput::open(&found, None, None, &folders).map_err(refused("opening the model"))?;
    let packed = input.pack_in_memory(engine).map_err(refused("the packer"))?.to_bytes();
    all.insert(key, packed.clone());
    Ok(packed)
}

/// A model of random weights, packed: a named shape, or `dim,hidden,layers,heads,kv_heads,vocab,seq`.
///
/// # Errors
/// [`Error::Answer`] if there is no such shape.
pub fn synthetic(shape: &str) -> Result<Vec<u8>, Error> {
    let parsed = parse_shape(shape).map_err(refused("the shape"))?;
    let mut checkpoint = Vec::new();
    write_checkpoint(&parsed, 1, &mut checkpoint).map_err(Error::io("make a checkpoint"))?;
    let vocabulary = llama2c::pack(&numbered_pieces(parsed.vocab_size)).map_err(refused("the tokenizer"))?;
    let mut checkpoint =
        Checkpoint::open(Cursor::new(checkpoint)).map_err(refused("reading the checkpoint"))?;
    let mut out = Cursor::new(Vec::new());
    pack(EngineKind::Int8, &mut checkpoint, &vocabulary, shape, &mut out, |_, _| {})
        .map_err(refused("the packer"))?;
    Ok(out.into_inner())
}

/// A GGUF of random weights, packed, its residual stream with so many fraction bits. `type_of` is asked for each
/// matrix, by its name and the length of its rows.
///
/// # Errors
/// [`Error::Answer`] if the host library refuses it.
pub fn synthetic_gguf(
    model: &SyntheticGguf,
    type_of: impl Fn(&str, usize) -> TensorType,
    residual_bits: i32,
) -> Result<Vec<u8>, Error> {
    let (mut file, mut out) = (Vec::new(), Cursor::new(Vec::new()));
    model.write(1, type_of, &mut file).map_err(refused("the GGUF"))?;
    let mut checkpoint = Checkpoint::open(Cursor::new(file)).map_err(refused("reading the GGUF"))?;
    checkpoint.config_mut().residual_bits = residual_bits;
    pack_gguf_into(&mut checkpoint, &mut out)?;
    Ok(out.into_inner())
}

/// Packs a GGUF with its own tokenizer.
///
/// # Errors
/// [`Error::Answer`] if the host library refuses it.
pub fn pack_gguf_into<R: Read + Seek>(
    checkpoint: &mut Checkpoint<R>,
    out: &mut (impl Write + Seek),
) -> Result<(), Error> {
    let Checkpoint::Gguf(gguf) = &checkpoint else {
        return Err(refused("the GGUF")("it is no GGUF"));
    };
    let vocabulary = pack_gguf(&gguf.vocabulary().map_err(refused("the tokenizer"))?);
    let vocabulary = vocabulary.map_err(refused("the tokenizer"))?;
    let packed = pack(EngineKind::Int8, checkpoint, &vocabulary, "random", out, |_, _| {});
    packed.map(drop).map_err(refused("the packer"))
}

/// A tokenizer in llama2.c's format: longest piece; then for each its score, length and bytes.
fn numbered_pieces(vocabulary: usize) -> Vec<u8> {
    let pieces: Vec<String> = (0..vocabulary).map(|number| format!(" w{number}")).collect();
    let longest = pieces.iter().map(String::len).max().unwrap_or(0) as u32;
    let mut file = longest.to_le_bytes().to_vec();
    for (number, piece) in pieces.iter().enumerate() {
        file.extend((-(number as f32)).to_le_bytes());
        file.extend((piece.len() as u32).to_le_bytes());
        file.extend(piece.as_bytes());
    }
    file
}

/// The story on the host, by the same code that runs in the machine: text and trace.
///
/// # Errors
/// [`Error::Answer`] with the engine's sentence, where it refuses model or prompt.
pub fn tell(packed: &[u8], settings: &Settings) -> Result<(String, Vec<TraceRecord>), Error> {
    let packed = Packed::read(&mut &packed[..]).map_err(refused("the packed model"))?;
    tell_packed(&packed, settings)
}

/// The same of a packed model in memory.
///
/// # Errors
/// As [`tell`].
pub fn tell_packed(packed: &Packed, settings: &Settings) -> Result<(String, Vec<TraceRecord>), Error> {
    let text = packed.text().map_err(refused("the tokenizer"))?;
    let context = text.shape.seq_len;
    let mut engine: Box<dyn Engine> = match (packed.model(), packed.sectorllm()) {
        (Some(model), _) => Box::new(Int8::new(model, context, Simd::best()).map_err(refused("the engine"))?),
        (None, weights) => {
            let weights = weights.expect("one of the two");
            Box::new(Sectorllm::new(weights, context).map_err(refused("the engine"))?)
        }
    };
    let prompt =
        text.vocabulary.encode(&settings.prompt, SpecialTokens::AreText).map_err(refused("the prompt"))?;
    let Settings { temperature, topp, seed, .. } = *settings;
    let sampler = Sampler::new(text.tables, text.shape.vocab_size, temperature, topp, seed);
    let sampler = sampler.map_err(refused("the sampler"))?;
    let options = Options {
        steps: settings.steps as usize,
        trace: true,
        endless: settings.endless,
        raw_bytes: settings.raw_bytes,
    };
    let generator = Generator::new(&mut *engine, &text.vocabulary, sampler, &prompt, options);
    let mut generator = generator.map_err(refused("the engine"))?;
    let (mut told, mut trace) = (Vec::new(), Vec::new());
    while let Some(step) = generator.step() {
        told.extend(step.piece.bytes());
        trace.extend(TraceRecord::of(&step));
    }
    Ok((String::from_utf8_lossy(&told).into_owned(), trace))
}

/// For `map_err`: the host library refused.
fn refused<E: std::fmt::Display>(asked: &str) -> impl FnOnce(E) -> Error {
    let asked = asked.to_owned();
    move |error| Error::Answer { asked, answer: error.to_string() }
}
