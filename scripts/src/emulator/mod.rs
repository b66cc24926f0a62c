//! Boots an image in an emulator, with its serial port on this terminal.
pub mod bochs;
pub mod keys;
pub mod kvm_probe;
pub mod program;
pub mod qemu;
mod serial_line;
pub mod terminal;

use std::{io, path::PathBuf};

use crate::child::ChildError;

/// How an emulator ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The machine told its story and powered itself off.
    Told,
    /// The machine stopped with an error, which its serial port has shown.
    Refused,
    /// Somebody closed the emulator, or stopped this program.
    Closed,
    /// As `Closed`, though a story was to be told to its end.
    Cut,
    /// The emulator ended by itself with this exit code (none where a signal ended it).
    Died(Option<i32>),
    /// Its time was up, and it was ended.
    TimedOut,
}

/// Why an emulator did not run.
#[derive(Debug, thiserror::Error)]
pub enum EmulatorError {
    /// It is not installed.
    #[error("{program} is not in PATH; scripts/run installs it, or your system's package {package} does")]
    Missing {
        /// The program looked for.
        program: String,
        /// The package that has it on Debian.
        package: &'static str,
    },
    /// It is another program.
    #[error("{program} does not say which version of QEMU it is; --emulator-path takes a qemu-system-x86_64")]
    NoQemu {
        /// The program.
        program: PathBuf,
    },
    /// It is there, but does not run.
    #[error(transparent)]
    Child(#[from] ChildError),
    /// A file beside the image could not be written or read.
    #[error("{path}: {cause}")]
    File {
        /// The file.
        path: PathBuf,
        /// What went wrong.
        cause: io::Error,
    },
    /// An option that this emulator does not have.
    #[error("Bochs runs here without {option}; leave it out, or use --emulator qemu")]
    Unsupported {
        /// The option.
        option: &'static str,
    },
    /// A window was asked for, and QEMU was installed without any.
    #[error(
        "this QEMU opens no window; the package qemu-system-gui brings it, or leave --window out: \
         the story is also on this terminal"
    )]
    NoWindow,
}

/// Where a program lies in PATH.
fn find(program: &str, package: &'static str) -> Result<PathBuf, EmulatorError> {
    which::which(program).map_err(|_| EmulatorError::Missing { program: program.into(), package })
}
