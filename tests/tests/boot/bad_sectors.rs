//! A sector that the drive cannot read: once, and the next try is right; for ever, and the machine
//! says so. Other than in `bios`, it is the drive that fails and the BIOS that finds out.
use libtest_mimic::Trial;
use machine::{
    Emulator,
    golden::{BUILT_IN, Golden, traced},
    outcome::{Outcome, judge},
    qemu::{Qemu, Storage},
};
use map::disk::{KERNEL_LBA, LOADER_LBA, MODEL_LBA, PROGRAM_SECTORS, SECTOR, SETTINGS_LBA};
use unreallm::image::Medium;

use crate::case::{Trouble, case, ensure};

/// The middle of a program.
const MIDDLE: u32 = PROGRAM_SECTORS / 2;

/// Where in an image the sector lies.
type Place = fn(&Golden) -> u32;

/// The tests of this file.
pub fn cases() -> Vec<Trial> {
    let sectors: [(&str, Place); 6] = [
        ("loader", |_| LOADER_LBA + MIDDLE),
        ("kernels_first", |_| KERNEL_LBA),
        ("kernel", |_| KERNEL_LBA + MIDDLE),
        ("settings", |_| SETTINGS_LBA),
        ("model", |golden| MODEL_LBA + golden.model_bytes as u32 / SECTOR / 2),
        ("models_last", |golden| MODEL_LBA + (golden.model_bytes as u32).div_ceil(SECTOR) - 1),
    ];
    let mut cases = Vec::new();
    for (name, sector) in sectors {
        cases.push(case(&format!("bad_sectors::{name}_once"), move || once(sector)));
        cases.push(case(&format!("bad_sectors::{name}_for_ever"), move || for_ever(sector)));
    }
    cases
}

fn golden() -> Result<Golden, Trouble> {
    Ok(Golden::new(BUILT_IN, &traced(8), Medium::Disk)?)
}

fn once(sector: Place) -> Result<(), Trouble> {
    let golden = golden()?;
    // The BIOS's second try; `dma` has that of a drive that is read past it.
    let qemu = Qemu { storage: Storage::BadSectorOnce(sector(&golden)), ..Qemu::q35() };
    let outcome = judge(&mut qemu.boot(&golden.image)?, &golden.trace)?;
    ensure(outcome == Outcome::Told, || format!("{outcome:?}"))
}

fn for_ever(sector: Place) -> Result<(), Trouble> {
    let golden = golden()?;
    let sector = sector(&golden);
    let mut machine = Qemu { storage: Storage::BadSector(sector), ..Qemu::default() }.boot(&golden.image)?;
    if sector < KERNEL_LBA {
        machine.wait_for_screen("!R")?;
        let log = machine.serial()?;
        return ensure(log.is_empty(), || format!("on serial: {}", String::from_utf8_lossy(&log)));
    }
    match judge(&mut machine, &golden.trace)? {
        Outcome::Stopped { reason, .. } if reason.contains("could not be read in 4 tries") => Ok(()),
        outcome => Err(Trouble::Wrong(format!("{outcome:?}"))),
    }
}
