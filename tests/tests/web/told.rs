//! What the host's engine says that a machine must do with a disk image.
use map::disk::{MODEL_LBA, SECTOR};
use model::{
    encoder::Encoder,
    generate::{Generator, Options},
    int8::Int8,
    packed::{Model, PackedHeader},
    sampler::Sampler,
    simd::Simd,
};
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
        let wrong = |error: &dyn std::fmt::Display| Trouble::Wrong(format!("the host's engine: {error}"));
        let mut source = &image[(MODEL_LBA * SECTOR) as usize..];
        let header = PackedHeader::read(&mut source).map_err(|error| wrong(&error))?;
        let model = Model::load(&header, &mut source).map_err(|error| wrong(&error))?;
        let mut engine =
            Int8::new(&model, model.shape.seq_len, Simd::best()).map_err(|error| wrong(&error))?;
        let encoder = Encoder::new(&model.tokenizer).map_err(|error| wrong(&error))?;
        let prompt = encoder.encode(&settings.prompt).map_err(|error| wrong(&error))?;
        let sampler = Sampler::new(&model.tables, settings.temperature, settings.topp, settings.seed);
        let options = Options {
            steps: settings.steps as usize,
            trace: true,
            endless: settings.endless,
            raw_bytes: settings.raw_bytes,
        };
        let mut generator = Generator::new(&mut engine, &model.tokenizer, sampler, &prompt, options);
        let (mut text, mut trace) = (Vec::new(), Vec::new());
        while let Some(step) = generator.step().map_err(|error| wrong(&error))? {
            text.extend(step.piece.bytes());
            trace.extend(step.trace());
        }
        Ok(Self { text: String::from_utf8_lossy(&text).into_owned(), trace })
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
