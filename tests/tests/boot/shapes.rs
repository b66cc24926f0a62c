//! Every shape: host = machine on random weights, from the smallest odd shapes to 110M.
use std::time::Duration;

use libtest_mimic::Trial;
use machine::{
    Emulator,
    golden::{Golden, synthetic, traced},
    nasty_bios::{Faults, Range},
    outcome::{Outcome, judge},
    qemu::Qemu,
};
use map::disk::{PROGRAM_SECTORS, SECTOR};
use model::packed::PackedHeader;
use protocol::settings::Settings;
use unreallm::{embedded, image::Medium};

use crate::case::{Trouble, case, ensure};

/// dim, hidden, layers, heads, kv heads, vocabulary (negative: a classifier of its own), context.
const ODD: [(&str, &str); 5] = [
    ("one_head", "48,100,2,1,1,300,64"),
    ("one_kv_head", "64,172,2,8,1,509,32"),
    ("one_position", "32,50,1,2,2,77,1"),
    ("own_classifier", "40,60,3,4,2,-203,17"),
    ("one_layer_wide", "96,1000,1,6,3,1001,8"),
];

/// The tests of this file.
pub fn cases() -> Vec<Trial> {
    let q35 = |memory| Qemu { memory: Some(memory), ..Qemu::q35() };
    let mut machines: Vec<(String, &'static str, u32, Qemu)> =
        ODD.into_iter().map(|(name, shape)| (name.to_owned(), shape, 64, Qemu::q35())).collect();
    machines.extend([
        ("15M_q35".to_owned(), "15M", 16, Qemu::q35()),
        ("15M_pc".to_owned(), "15M", 4, Qemu::default()),
        ("15M_q35_4_gb".to_owned(), "15M", 4, q35(4096)),
        ("42M_q35".to_owned(), "42M", 4, Qemu::q35()),
        ("110M_q35_512_mb".to_owned(), "110M", 3, q35(512)),
    ]);
    machines
        .into_iter()
        .map(|(name, shape, tokens, qemu)| {
            case(&format!("shapes::{name}"), move || {
                let packed = synthetic(shape)?;
                let golden =
                    Golden::of_packed(&packed, &embedded::machine_code(), &traced(tokens), Medium::Disk)?;
                let qemu = Qemu { limit: Duration::from_secs(120), ..qemu };
                let outcome = judge(&mut qemu.boot(&golden.image)?, &golden.trace)?;
                ensure(outcome == Outcome::Told, || format!("{outcome:?}"))
            })
        })
        .chain([case("shapes::just_enough_memory", just_enough_memory)])
        .collect()
}

/// Where the plan finds that all fits, nothing fails later: neither the table of 32,000 pieces nor
/// the sampler's lists. A little less memory costs context, and nothing else.
fn just_enough_memory() -> Result<(), Trouble> {
    /// What the plan leaves for small things; beside it lie the kernel's file, its header and the
    /// header of the model.
    const RESERVE: u64 = 256 << 10;
    const SMALL: u64 = 16 << 10;
    let packed = synthetic("32,64,1,2,2,32000,1024")?;
    let header = PackedHeader::read(&mut &packed[..]).expect("it was packed here");
    let kernel = u64::from(PROGRAM_SECTORS * SECTOR);
    let enough = (header.memory(1024).total() + RESERVE + kernel + SMALL).next_multiple_of(4096);
    for (bytes, is_cut) in [(enough, false), (enough - 2 * SMALL, true)] {
        let now = Settings { temperature: 1 << 16, topp: 60_000, seed: 5, ..traced(24) };
        let golden = Golden::of_packed(&packed, &embedded::machine_code(), &now, Medium::Disk)?;
        let usable = |base, length| Range { base, length, kind: 1 };
        let memory_map = vec![usable(0, 0x9_F000), usable(1 << 20, bytes)];
        let qemu = Qemu { faults: Some(Faults { memory_map, ..Faults::default() }), ..Qemu::default() };
        let mut machine = qemu.boot(&golden.image)?;
        let outcome = judge(&mut machine, &golden.trace)?;
        let log = String::from_utf8_lossy(&machine.serial()?).into_owned();
        ensure(outcome == Outcome::Told && log.contains("context cut") == is_cut, || {
            format!("{bytes} bytes: {outcome:?}\n{log}")
        })?;
    }
    Ok(())
}
