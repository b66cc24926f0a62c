//! A boot of the benchmark in QEMU, and the report from its serial port.
use std::{io::Write, path::Path, time::Duration};

use protocol::{benchmark::Report, settings::Settings};

use super::{BenchError, subject::Subject};
use crate::{
    compare::machine::memory_mib,
    embedded,
    emulator::{
        Outcome,
        keys::Keys,
        program::Program,
        qemu::{Accelerator, Captured, Machine, Qemu, Storage},
    },
    image::{self, Medium},
};

/// The beginning of a story that the prompt's speed is measured with: 144 tokens of 512 pieces.
const PROMPT: &str = "Once upon a time, there was a little girl named Lily. She loved to play outside in the \
    sun with her dog Max. One day they found a big red ball under a tree, and Lily said, \"Max, look! Who \
    lost this ball?\" Max ran around it three times, and then he sat down and looked at her. They walked to \
    the house of an old man who lived near the park. ";

/// A PC to be measured.
#[derive(Clone, Debug)]
pub struct Pc {
    /// The QEMU that plays it.
    pub program: Program,
    /// The kind of PC.
    pub machine: Machine,
    /// What runs its code.
    pub accelerator: Accelerator,
    /// Processors.
    pub cpus: u32,
}

impl Pc {
    /// QEMU for it, with so much memory.
    pub fn qemu(self, memory_mib: u32) -> Qemu {
        Qemu {
            program: Some(self.program),
            machine: self.machine,
            accelerator: self.accelerator,
            storage: Storage::Own,
            memory_mib,
            cpus: self.cpus,
            window: false,
            keys: Keys::Cooked,
            once: true,
            more: Vec::new(),
        }
    }
}

/// Writes the image that [`boot`] boots.
///
/// # Errors
/// Where it cannot be written.
pub fn write_image(subject: &Subject, cpus: u32, steps: u32, path: &Path) -> Result<(), BenchError> {
    let settings = Settings { prompt: PROMPT.into(), steps, cpus, exit: true, ..Settings::default() };
    let settings = settings.to_sectors().expect("the prompt above fits the settings");
    image::write(path, Medium::Disk, &embedded::bench_code(), &settings, |file| {
        file.write_all(&subject.packed.to_bytes())
    })?;
    Ok(())
}

/// Boots an image of [`write_image`] and waits for its report.
///
/// # Errors
/// Where the machine stops with an error, or takes longer than `patience`.
pub fn boot(subject: &Subject, pc: Pc, path: &Path, patience: Duration) -> Result<Report, BenchError> {
    let Captured { outcome, serial, messages } =
        pc.qemu(memory_mib(&subject.packed.header)).capture(path, patience)?;
    let [log, messages] = [&serial, &messages].map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    let model = subject.name.clone();
    if outcome != Outcome::Told {
        let said = |text: &str| text.lines().rfind(|line| !line.trim().is_empty()).map(str::to_owned);
        let last = said(&messages).or_else(|| said(&log)).unwrap_or_else(|| "nothing".into());
        return Err(BenchError::Outcome { model, outcome, last });
    }
    Report::find(&log).ok_or_else(|| {
        let lines: Vec<_> = log.lines().collect();
        let end = lines[lines.len().saturating_sub(14)..].join("\n");
        BenchError::Report { model, end }
    })
}
