//! The benchmark: boots the machine's own measurements, and sets them beside the hosted engine and
//! another program's image.
pub mod figures;
pub mod hosted;
pub mod machine;
pub mod other_image;
pub mod plot;
pub mod statistics;
pub mod subject;

use std::{io, time::Duration};

use model::{engine::EngineError, packed::PackedError, source::EndOfSource};

use crate::{
    emulator::{EmulatorError, Outcome},
    image::ImageError,
    packing::PackingError,
};

/// Why there is no measurement.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "most are the error of the module they come from")]
pub enum BenchError {
    #[error(transparent)]
    Image(#[from] ImageError<io::Error>),
    #[error(transparent)]
    Emulator(#[from] EmulatorError),
    #[error(transparent)]
    Packing(#[from] PackingError),
    #[error("the packed model cannot be loaded: {0}")]
    Load(#[from] PackedError<EndOfSource>),
    #[error(transparent)]
    Engine(#[from] EngineError),
    #[error("no folder for temporary files: {0}")]
    Temporary(io::Error),
    /// The machine did not come to its report.
    #[error("{model} was not measured: {}; the machine's last line: {last}", how(*outcome))]
    Outcome {
        /// The model.
        model: String,
        /// How the machine ended.
        outcome: Outcome,
        /// Its last line, or QEMU's.
        last: String,
    },
    /// The machine ended well and its report is not whole.
    #[error("{model}'s report is not whole; is the serial port's output complete? Its end:\n{end}")]
    Report {
        /// The model.
        model: String,
        /// The end of the log.
        end: String,
    },
    /// The BIOS did not start the other image.
    #[error(
        "the BIOS cannot start {image}: a disk image has a boot sector that ends with 55h AAh, and is 1 MiB or more"
    )]
    NoBoot {
        /// The image.
        image: String,
    },
    /// The other image never printed anything.
    #[error("{image} showed nothing on its text screen within {} s", patience.as_secs())]
    Silent {
        /// The image.
        image: String,
        /// How long it had.
        patience: Duration,
    },
    /// It went on printing.
    #[error("{image} was still printing after {} s; --patience gives it longer", patience.as_secs())]
    Endless {
        /// The image.
        image: String,
        /// How long it had.
        patience: Duration,
    },
    #[error("the plot cannot be drawn: {0}")]
    Plot(plot::PlotError),
}

/// An outcome in words.
fn how(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Told => "it ended well",
        Outcome::Refused => "the machine stopped with an error",
        Outcome::Closed | Outcome::Cut => "it was stopped",
        Outcome::Died(_) => "QEMU failed",
        Outcome::TimedOut => "its time was up",
    }
}
