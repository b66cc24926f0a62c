//! The machine's engine against the host's: boots each one in QEMU and compares the traces, which
//! have every token's id and a CRC of all its logits.
use std::time::Duration;

use model::{
    engine::{EngineError, EngineKind},
    packed::PackedHeader,
};
use protocol::{settings::Settings, trace::TraceRecord};

use super::{greedy, subject::Subject};
use crate::{
    embedded,
    emulator::{
        EmulatorError, Outcome,
        keys::Keys,
        qemu::{Accelerator, Captured, Machine, Qemu, Storage},
    },
    image::{self, ImageError, Medium},
};

/// How a machine is checked.
#[derive(Clone, Copy, Debug)]
pub struct Check {
    /// What runs its code.
    pub accelerator: Accelerator,
    /// Steps that are compared.
    pub steps: u32,
    /// How long the machine may take for them.
    pub patience: Duration,
}

impl Default for Check {
    fn default() -> Self {
        Self { accelerator: Accelerator::Tcg, steps: 256, patience: Duration::from_secs(600) }
    }
}

/// Memory beyond the model's own, in MiB: firmware, kernel, alignment.
const SPARE_MIB: u64 = 32;
/// The least memory that the machine is given, in MiB: QEMU's own default.
const LEAST_MIB: u64 = 128;

/// Why the machine could not be compared.
#[derive(Debug, thiserror::Error)]
pub enum MachineError {
    /// No folder for the image.
    #[error("no folder for temporary files: {0}")]
    Temporary(std::io::Error),
    /// The image could not be made.
    #[error(transparent)]
    Image(#[from] ImageError<std::io::Error>),
    /// The emulator did not run.
    #[error(transparent)]
    Emulator(#[from] EmulatorError),
    /// The host's engine did not run.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The machine did not tell its story.
    #[error("the machine did not end its story with the engine {engine} ({outcome:?}); it said: {last}")]
    Outcome {
        /// The engine.
        engine: &'static str,
        /// How it ended.
        outcome: Outcome,
        /// Its last line.
        last: String,
    },
    /// The traces differ.
    #[error(
        "with the engine {engine} machine and host differ at step {step}: the machine has {machine}, the host {host}"
    )]
    Differ {
        /// The engine.
        engine: &'static str,
        /// The first step that differs.
        step: usize,
        /// The machine's record.
        machine: String,
        /// The host's.
        host: String,
    },
}

/// Memory in MiB of a PC that holds a model with all of its context.
pub fn memory_mib(header: &PackedHeader) -> u32 {
    let needed = header.memory(header.shape.seq_len).total().div_ceil(1 << 20);
    (needed + SPARE_MIB).max(LEAST_MIB) as u32
}

/// Boots a story with an engine and compares its trace with the host's. Returns the steps, all of
/// them equal.
///
/// # Errors
/// Where the machine does not run, or does not give the same numbers.
pub fn check(subject: &Subject, engine: EngineKind, check: Check) -> Result<usize, MachineError> {
    let Check { accelerator, steps, patience } = check;
    let packed = subject.packed(engine);
    let folder = tempfile::tempdir().map_err(MachineError::Temporary)?;
    let path = folder.path().join("disk.img");
    let settings = Settings { steps, exit: true, trace: true, ..Settings::default() };
    let settings = settings.to_sectors().expect("settings without a prompt fit their sectors");
    image::write(&path, Medium::Disk, &embedded::machine_code_for(engine), &settings, |file| {
        std::io::Write::write_all(file, &packed.to_bytes())
    })?;
    let qemu = Qemu {
        program: None,
        machine: Machine::Q35,
        accelerator,
        storage: Storage::Own,
        memory_mib: memory_mib(&packed.header),
        cpus: 1,
        window: false,
        keys: Keys::Cooked,
        once: true,
        more: Vec::new(),
    };
    let Captured { outcome, serial, messages } = qemu.capture(&path, patience)?;
    let log = String::from_utf8_lossy(&serial);
    let (machine, rest) = TraceRecord::split(&log);
    if outcome != Outcome::Told {
        let messages = String::from_utf8_lossy(&messages);
        let last = last_line(&rest).or(last_line(&messages)).unwrap_or("nothing").to_owned();
        return Err(MachineError::Outcome { engine: engine.name(), outcome, last });
    }
    let host = greedy::trace(subject, engine, steps as usize)?;
    match (0..machine.len().max(host.len())).find(|&step| machine.get(step) != host.get(step)) {
        None => Ok(host.len()),
        Some(step) => {
            let record = |trace: &[TraceRecord]| {
                trace.get(step).map_or("no record".to_owned(), |record| record.to_string().trim().to_owned())
            };
            let engine = engine.name();
            Err(MachineError::Differ { engine, step, machine: record(&machine), host: record(&host) })
        }
    }
}

/// The last line that says something.
fn last_line(text: &str) -> Option<&str> {
    text.lines().rfind(|line| !line.trim().is_empty())
}
