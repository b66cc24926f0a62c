//! `cargo unreal synth`: a random checkpoint of any shape.
use std::io::{BufWriter, Write};

use model::host::synth::{parse_shape, write_checkpoint};

use super::CommandError;
use crate::{
    beside::Beside,
    cli::SynthArgs,
    size::{Bytes, Grouped},
};

/// Writes the checkpoint and says what it is.
pub fn synth(args: &SynthArgs) -> Result<(), CommandError> {
    let shape = parse_shape(&args.shape)?;
    let mut beside = Beside::create(&args.output)?;
    let failed = beside.failed();
    let mut file = BufWriter::with_capacity(1 << 20, beside.file());
    write_checkpoint(&shape, args.seed, &mut file).and_then(|()| file.flush()).map_err(&failed)?;
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
