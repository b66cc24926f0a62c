//! Weights that are rounded again with the model's inputs in mind: always where that takes seconds, and on request
//! where it takes minutes, which are kept in the cache by the file's hash.
use std::{
    fs::{self, File},
    io::{BufReader, Read, Seek, Write},
    path::Path,
};

use indicatif::{ProgressBar, ProgressStyle};
use model::{
    host::{
        checkpoint::{Checkpoint, CheckpointError},
        fp32::Weights,
        packed::Reader,
        refine::{
            requested::{self, TEXTS, VERSION, text_tokens},
            small::{self, MOST_WEIGHTS},
            write_texts,
        },
    },
    packed::Packed,
};

use crate::{beside::Beside, kept::Kept, packing::ReadSeek};

/// Whether and how a model is refined.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Refining {
    /// It is not.
    No,
    /// As it is small: in seconds, each time that it is packed.
    Small,
    /// As it was asked for: once, in minutes.
    Requested,
}

impl Refining {
    /// What is done with a checkpoint.
    pub fn of<R: Read + Seek>(checkpoint: &Checkpoint<R>, requested: bool) -> Self {
        match checkpoint {
            Checkpoint::Llama2c(_) if small::is_for(&checkpoint.shape()) => Self::Small,
            _ if requested => Self::Requested,
            _ => Self::No,
        }
    }
}

/// Refines a small model that was packed from a checkpoint. `requested`: somebody asked for it.
///
/// # Errors
/// A checkpoint that cannot be read.
pub fn refine_small(
    packed: &mut Packed,
    checkpoint: &mut Checkpoint<Box<dyn ReadSeek>>,
    name: &str,
    requested: bool,
) -> Result<(), CheckpointError> {
    if requested {
        eprintln!(
            "{name}: a llama2.c checkpoint of at most {MOST_WEIGHTS} weights is always refined, whether --refine is given or not."
        );
    }
    small::refine(packed, &Weights::read(checkpoint)?, small::Steps::ALL);
    Ok(())
}

/// Refines a model that was packed from a checkpoint as it was asked for, or takes what is kept of an earlier time.
///
/// # Errors
/// A checkpoint that cannot be read.
pub fn refine_requested(
    packed: &mut Packed,
    checkpoint: &mut Checkpoint<Box<dyn ReadSeek>>,
    name: &str,
    kept: Option<&Kept>,
) -> Result<(), CheckpointError> {
    let entries = requested::entries(packed, checkpoint);
    if entries.is_empty() {
        eprintln!("{name}: its file has codes of few bits, which are kept as they are: nothing to refine.");
        return Ok(());
    }
    // What the model writes depends on the length of its texts.
    let tokens = text_tokens(packed.header.shape.seq_len);
    let kind = format!("refined-{VERSION}-{tokens}");
    let place = kept.map(|kept| kept.place(&kind));
    if place.as_deref().and_then(read).is_some_and(|refined| requested::adopt(packed, &refined, &entries)) {
        return Ok(());
    }
    let bar = progress_bar("Writing texts with", name);
    let texts = write_texts(packed, TEXTS, tokens, |done, total| {
        bar.set_length(total);
        bar.inc(done);
    });
    bar.finish_and_clear();
    let bar = progress_bar("Refining", name);
    let refined = requested::refine(packed, checkpoint, &texts, |done, total| {
        bar.set_length(total);
        bar.set_position(done);
    });
    bar.finish_and_clear();
    refined?;
    if let Some(place) = place {
        // A cache that cannot be written costs the next run some minutes.
        let _ = keep(packed, &place);
    }
    Ok(())
}

/// A progress bar that says what is done with the model.
fn progress_bar(what: &str, name: &str) -> ProgressBar {
    let bar = ProgressBar::new(0);
    let style = format!("{what} {{msg}} {{wide_bar}} {{pos}}/{{len}} {{eta}}");
    bar.set_style(ProgressStyle::with_template(&style).expect("the template above is right"));
    bar.set_message(name.to_owned());
    bar
}

/// A packed model that is kept; `None` where it is not there, damaged or of another version.
fn read(place: &Path) -> Option<Packed> {
    Packed::read(&mut Reader(BufReader::new(File::open(place).ok()?))).ok()
}

/// Keeps a packed model.
fn keep(packed: &Packed, place: &Path) -> Result<(), Box<dyn std::error::Error>> {
    fs::create_dir_all(place.parent().unwrap_or(place))?;
    let mut file = Beside::create(place)?;
    packed.write_to(file.file())?;
    file.file().flush()?;
    Ok(file.finish()?)
}
