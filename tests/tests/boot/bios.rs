//! BIOSes that lack something, or say strange things: the same story all the same.
use std::time::Duration;

use libtest_mimic::Trial;
use machine::{
    golden::{BUILT_IN, Golden, traced},
    nasty_bios::{BadSector, Faults, Range},
    outcome::{Outcome, judge},
    qemu::Qemu,
};
use map::disk::{KERNEL_LBA, LOADER_LBA, MODEL_LBA};
use unreallm::image::Medium;

use crate::case::{case, ensure};

const MIB: u64 = 1 << 20;

/// The tests of this file.
pub fn cases() -> Vec<Trial> {
    let twice = |lba| Some(BadSector { lba, times: Some(2), status: 0x10 });
    let map = |memory_map| Faults { memory_map, ..Faults::default() };
    let usable = |base, length| Range { base, length, kind: 1 };
    let reserved = |base, length| Range { base, length, kind: 2 };
    [
        ("no_int13_extensions", Faults { no_extensions: true, ..Faults::default() }),
        ("a20_closed", Faults { close_a20: true, ..Faults::default() }),
        (
            "loader_reads_well_the_third_time",
            Faults { bad_sector: twice(LOADER_LBA + 50), ..Faults::default() },
        ),
        (
            "kernel_reads_well_the_third_time",
            Faults { bad_sector: twice(KERNEL_LBA + 50), ..Faults::default() },
        ),
        (
            "model_reads_well_the_third_time",
            Faults { bad_sector: twice(MODEL_LBA + 50), ..Faults::default() },
        ),
        (
            "map_out_of_order",
            map(vec![
                reserved(0xFFFC_0000, 0x4_0000),
                usable(MIB, 100 * MIB),
                reserved(0xF_0000, 0x1_0000),
                usable(0, 0x9_F000),
            ]),
        ),
        (
            // Usable memory that a reserved range lies in, and the same range twice.
            "map_with_overlaps",
            map(vec![
                usable(0, 0x9_F000),
                usable(MIB, 100 * MIB),
                usable(MIB, 100 * MIB),
                reserved(2 * MIB, 3 * MIB),
                usable(0x5_0000, 0),
            ]),
        ),
        (
            // The first memory above 1 MiB is small; the rest lies behind a hole.
            "map_with_a_hole",
            map(vec![usable(0, 0x9_F000), usable(MIB, 0x4_0000), usable(16 * MIB, 64 * MIB)]),
        ),
        (
            // Memory above 4 GB, which 32-bit addresses do not reach.
            "map_past_4_gb",
            map(vec![usable(0, 0x9_F000), usable(0x1_0000_0000, 1 << 40), usable(16 * MIB, 64 * MIB)]),
        ),
    ]
    .into_iter()
    .map(|(name, faults)| {
        case(&format!("bios::{name}"), move || {
            let golden = Golden::new(BUILT_IN, &traced(16), Medium::Disk)?;
            // The pc machine's IDE disk would be read past the BIOS.
            let qemu = Qemu { faults: Some(faults), limit: Duration::from_secs(30), ..Qemu::q35() };
            let outcome = judge(&mut qemu.boot(&golden.image)?, &golden.trace)?;
            ensure(outcome == Outcome::Told, || format!("{outcome:?}"))
        })
    })
    .collect()
}
