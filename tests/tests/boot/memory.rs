//! Machines with little and with much memory: the right story, or how much more it takes.
use std::time::Duration;

use libtest_mimic::Trial;
use machine::{
    golden::{BUILT_IN, Golden, traced},
    outcome::{Outcome, judge},
    qemu::Qemu,
};
use unreallm::image::Medium;

use crate::case::{Trouble, case, ensure};

/// MiB, from the least with which the BIOS boots to where memory lies above 4 GB, too.
const SIZES: [u32; 14] = [1, 2, 3, 4, 5, 6, 8, 16, 64, 1024, 2048, 3072, 3584, 4096];
/// From so many on there is a story.
const ENOUGH: u32 = 2;

/// The tests of this file.
pub fn cases() -> Vec<Trial> {
    let mut cases = Vec::new();
    for (name, machine) in [("pc", None), ("q35", Some("q35"))] {
        // With 1 MiB the BIOS of q35 cannot read its disk.
        for mib in SIZES.into_iter().skip_while(|&mib| mib == 1 && name == "q35") {
            let qemu = Qemu { machine, memory: Some(mib), limit: Duration::from_secs(30), ..Qemu::default() };
            cases.push(case(&format!("memory::{name}_{mib}_mb"), move || told_or_refused(&qemu, mib)));
        }
    }
    cases
}

fn told_or_refused(qemu: &Qemu, mib: u32) -> Result<(), Trouble> {
    let golden = Golden::new(BUILT_IN, &traced(16), Medium::Disk)?;
    let outcome = judge(&mut qemu.boot(&golden.image)?, &golden.trace)?;
    let right = match &outcome {
        Outcome::Told => mib >= ENOUGH,
        Outcome::Stopped { reason, .. } => mib < ENOUGH && reason.contains("more"),
        _ => false,
    };
    ensure(right, || format!("{mib} MiB: {outcome:?}"))
}
