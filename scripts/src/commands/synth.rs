//! `cargo unreal synth`: a random checkpoint or GGUF of any shape.
use std::io::{self, BufWriter, Write};

use model::host::{
    gguf::GgufError,
    synth::{
        FileType, GgufSynthError, SyntheticGguf, Tokenizer, TokenizerKind, parse_shape, write_checkpoint,
    },
};

use super::CommandError;
use crate::{
    beside::Beside,
    cli::{SynthArgs, TokenizerName},
    size::{Bytes, Grouped},
};

/// Why a random GGUF was not written.
#[derive(Debug, thiserror::Error)]
#[error("the shape {shape}: {cause}")]
pub struct SynthError {
    shape: String,
    cause: GgufSynthError,
}

/// Writes the file and says what it is.
pub fn synth(args: &SynthArgs) -> Result<(), CommandError> {
    let shape = parse_shape(&args.shape)?;
    let mut beside = Beside::create(&args.output)?;
    let failed = beside.failed();
    let mut file = BufWriter::with_capacity(1 << 20, beside.file());
    match args.gguf {
        Some(file_type) => write_gguf(args, file_type, &mut file, &failed)?,
        None => write_checkpoint(&shape, args.seed, &mut file).map_err(&failed)?,
    }
    file.flush().map_err(&failed)?;
    drop(file);
    let bytes = beside.file().metadata().map_err(&failed)?.len();
    beside.finish()?;
    println!(
        "{}: {}, {} random parameters, {shape}",
        args.output.display(),
        Bytes(bytes),
        Grouped(shape.parameters())
    );
    Ok(())
}

fn write_gguf<E: Into<CommandError>>(
    args: &SynthArgs,
    file_type: FileType,
    out: &mut impl Write,
    failed: impl Fn(io::Error) -> E,
) -> Result<(), CommandError> {
    let mut model = SyntheticGguf::of_shape(&args.shape)?;
    model.tokenizer = match (args.tokenizer_kind, model.tokenizer.kind) {
        (Some(TokenizerName::Llama), TokenizerKind::Gpt2) => Tokenizer::LLAMA,
        (Some(TokenizerName::Gpt2), TokenizerKind::Llama) => Tokenizer::SMOLLM,
        _ => model.tokenizer,
    };
    let type_of = |tensor: &str, columns| file_type.tensor_type(&model.config, tensor, columns);
    model.write(args.seed, type_of, out).map_err(|cause| match cause {
        GgufSynthError::Gguf(GgufError::Io(error)) => failed(error).into(),
        cause => SynthError { shape: args.shape.clone(), cause }.into(),
    })
}
