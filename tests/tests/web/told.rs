//! What the host's engine says that a machine must do with a disk image.
use machine::golden;
use map::disk::{MODEL_LBA, SECTOR};
use protocol::{settings::Settings, trace::TraceRecord};

use crate::case::{Trouble, ensure};

/// A story by the host's engine.
pub struct Told {
    /// Its text.
    pub text: String,
    /// Its tokens, and the CRCs of their logits.
    pub trace: Vec<TraceRecord>,
}

impl Told {
    /// The story of the model on a disk image.
    pub fn new(image: &[u8], settings: &Settings) -> Result<Self, Trouble> {
        let packed = &image[(MODEL_LBA * SECTOR) as usize..];
        let (text, trace) = golden::tell(packed, settings)?;
        Ok(Self { text, trace })
    }

    /// Fails at the first forward pass that differs, or where there are fewer or more.
    pub fn equals(&self, machine: &[TraceRecord]) -> Result<(), Trouble> {
        for (step, (host, machine)) in self.trace.iter().zip(machine).enumerate() {
            ensure(host == machine, || format!("step {step}: the host has {host}, the machine {machine}"))?;
        }
        let (host, machine) = (self.trace.len(), machine.len());
        ensure(host == machine, || format!("the host made {host} forward passes, the machine {machine}"))
    }
}
