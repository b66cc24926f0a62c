//! The commands of `cargo unreal`, a file each.
pub mod bench;
pub mod compare;
pub mod fetch;
pub mod image;
pub mod inspect;
pub mod run;
pub mod synth;
pub mod tokenize;
pub mod web;

use std::path::Path;

use model::{
    engine::{EngineError, EngineKind},
    packed::PackedHeader,
    vocabulary::{EncodeError, SpecialTokens},
};
use protocol::settings::{Settings, SettingsError};

use crate::{
    cli::{EngineName, ModelArgs, StoryArgs},
    embedded,
    fetch::{FetchError, Fetcher},
    image::{ImageError, Medium},
    locate::{LocateError, locate},
    machine_code::MachineCode,
    models::Folders,
    packing::{PackInput, PackingError},
};

/// Why a command failed: each is one sentence.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "each is the error of the module it comes from")]
pub enum CommandError {
    #[error(transparent)]
    Locate(#[from] LocateError),
    #[error(transparent)]
    Packing(#[from] PackingError),
    #[error(transparent)]
    Settings(#[from] SettingsError),
    #[error(transparent)]
    Engine(#[from] EngineError),
    #[error(transparent)]
    Encode(#[from] EncodeError),
    #[error(transparent)]
    Image(#[from] ImageError<PackingError>),
    #[error(transparent)]
    Emulator(#[from] crate::emulator::EmulatorError),
    #[error(transparent)]
    Inspect(#[from] crate::inspect::InspectError),
    #[error(transparent)]
    Fetch(#[from] FetchError),
    #[error(transparent)]
    Compare(#[from] crate::compare::CompareError),
    #[error(transparent)]
    Bench(#[from] crate::bench::BenchError),
    #[error(transparent)]
    Shape(#[from] model::host::synth::ShapeTextError),
    #[error(transparent)]
    Synth(#[from] synth::SynthError),
    #[error(transparent)]
    Write(#[from] crate::beside::WriteError),
    #[error(transparent)]
    Web(#[from] crate::web::WebError),
    #[error(transparent)]
    Tokenize(#[from] tokenize::TokenizeError),
    #[error("{name} is not a published model; published are {}", crate::published::names())]
    NotPublished { name: String },
    #[error(
        "--refine is for the engine int8: the 1356-byte mode rounds as sectorllm does; leave one of the two out"
    )]
    RefinedSector,
    #[error("no folder for temporary files: {0}")]
    Temporary(std::io::Error),
}

/// Opens the model that the command line names, and its tokenizer.
pub fn open_model(args: &ModelArgs) -> Result<PackInput, CommandError> {
    let folders = Folders::of_user();
    let found = locate(&args.model, &folders, Fetcher::of_user, |line| eprintln!("{line}"))?;
    let mut input = PackInput::open(&found, args.tokenizer.as_deref(), args.context, &folders)?;
    input.refine = args.refine;
    Ok(input)
}

/// The boot settings that the command line asks for.
///
/// # Errors
/// A value that its key cannot take.
pub fn settings(args: &StoryArgs) -> Result<Settings, SettingsError> {
    let mut settings = Settings {
        prompt: args.prompt.clone(),
        steps: args.steps,
        seed: args.seed,
        cpus: args.cpus,
        exit: args.exit,
        interactive: args.interactive,
        trace: args.trace,
        endless: args.endless,
        raw_bytes: args.raw_bytes,
        ..Settings::default()
    };
    settings.set("temperature", &args.temperature)?;
    settings.set("topp", &args.topp)?;
    Ok(settings)
}

impl From<EngineName> for EngineKind {
    fn from(name: EngineName) -> Self {
        match name {
            EngineName::Int8 => Self::Int8,
            EngineName::Sector => Self::Sectorllm,
        }
    }
}

/// An image that was written, for whoever tells the user about it.
pub struct Written {
    /// The packed model's header.
    pub header: PackedHeader,
    /// The image, in bytes.
    pub image_bytes: u64,
    /// The machine's code in it.
    pub code: MachineCode,
}

/// Refuses what the machine would refuse only after a boot.
fn check_story(settings: &Settings, input: &PackInput) -> Result<(), CommandError> {
    let shape = input.shape();
    let vocabulary = input.vocabulary();
    let prompt = vocabulary.encode(&settings.prompt, SpecialTokens::AreText)?;
    let tokens = prompt.len() + usize::from(vocabulary.bos_first());
    if prompt.is_empty() && vocabulary.start().is_none() {
        return Err(EngineError::NeedsBeginning.into());
    }
    if tokens > shape.seq_len {
        return Err(EngineError::PromptTooLong { tokens, context: shape.seq_len }.into());
    }
    Ok(())
}

/// Makes the image that the command line asks for.
pub fn write_image(
    model: &ModelArgs,
    story: &StoryArgs,
    medium: Medium,
    path: &Path,
) -> Result<Written, CommandError> {
    let settings = settings(story)?;
    let sectors = settings.to_sectors()?;
    if model.refine && story.engine == EngineName::Sector {
        return Err(CommandError::RefinedSector);
    }
    let mut input = open_model(model)?;
    check_story(&settings, &input)?;
    let engine = story.engine.into();
    let code = embedded::machine_code_for(engine);
    let mut packed = None;
    let image_bytes = crate::image::write(path, medium, &code, &sectors, |file| {
        packed = Some(input.pack_into(engine, file)?);
        Ok(())
    })?;
    let header = packed.expect("an image that was written has a model");
    Ok(Written { header, image_bytes, code })
}
