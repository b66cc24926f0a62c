//! Stories past the context: the window rolls, on the machine as on the host.
use libtest_mimic::Trial;
use machine::{
    bochs::Bochs,
    golden::{BUILT_IN, Golden, synthetic, traced},
    qemu::Qemu,
};
use model::engine::EngineKind;
use protocol::settings::Settings;
use unreallm::{embedded, image::Medium};

use crate::{
    case::{Trouble, case, ensure},
    trace::equals,
};

/// Four windows of a model of 260K parameters.
const FOUR_WINDOWS: u32 = 4 * 512;
/// A shape whose window is so short that a slow emulator is soon past it.
const SHORT_WINDOW: &str = "64,96,2,4,2,512,24";

/// The tests of this file.
pub fn cases() -> Vec<Trial> {
    let long = || Settings { endless: true, ..traced(FOUR_WINDOWS) };
    vec![
        case("window::int8_four_windows", move || told(&Qemu::q35(), &golden(EngineKind::Int8, &long())?)),
        case("window::sector_four_windows", move || {
            told(&Qemu::q35(), &golden(EngineKind::Sectorllm, &long())?)
        }),
        case("window::int8_on_a_486", move || {
            let qemu = Qemu { cpu: Some("486"), ..Qemu::default() };
            let settings = Settings { endless: true, ..traced(560) };
            told(&qemu, &golden(EngineKind::Int8, &settings)?)
        }),
        case("window::bochs", || {
            let settings = Settings { temperature: 1 << 16, endless: true, ..traced(4 * 24) };
            let golden = Golden::of_packed(
                &synthetic(SHORT_WINDOW)?,
                &embedded::machine_code(),
                &settings,
                Medium::Disk,
            )?;
            equals(&mut Bochs::default().boot(&golden.image)?, &golden).map(|_| ())
        }),
    ]
}

fn golden(engine: EngineKind, settings: &Settings) -> Result<Golden, Trouble> {
    Ok(Golden::of_engine(engine, BUILT_IN, settings, Medium::Disk)?)
}

/// As many steps as were asked for, each as on the host.
fn told(qemu: &Qemu, golden: &Golden) -> Result<(), Trouble> {
    ensure(golden.trace.len() > 512, || format!("the host stopped after {} steps", golden.trace.len()))?;
    equals(&mut qemu.boot(&golden.image)?, golden).map(|_| ())
}
