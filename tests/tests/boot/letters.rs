//! Each letter with which the boot sector stops. It has no room for a sentence.
use libtest_mimic::Trial;
use machine::{
    Emulator, Error,
    golden::{BUILT_IN, Golden, traced},
    nasty_bios::{BadSector, Faults},
    qemu::Qemu,
    v86_monitor,
};
use map::disk::LOADER_LBA;
use unreallm::image::Medium;

use crate::case::{Trouble, case, ensure};

/// The tests of this file.
pub fn cases() -> Vec<Trial> {
    let nasty = |faults| Qemu { faults: Some(faults), ..Qemu::default() };
    vec![
        case("letters::v_virtual_8086_mode", || {
            let floppy = v86_monitor::floppy().ok_or_else(|| Error::Missing {
                program: "an assembler for x86".into(),
                hint: "rustc has one on x86 hosts only",
            })?;
            let qemu = Qemu { floppy: Some(floppy), ..Qemu::default() };
            stops_with('V', &qemu)
        }),
        case("letters::g_neither_extensions_nor_geometry", move || {
            stops_with('G', &nasty(Faults { no_extensions: true, no_geometry: true, ..Faults::default() }))
        }),
        case("letters::r_first_sector", move || {
            let bad_sector = Some(BadSector { lba: LOADER_LBA, times: None, status: 0x04 });
            stops_with('R', &nasty(Faults { bad_sector, ..Faults::default() }))
        }),
    ]
}

fn stops_with(letter: char, qemu: &Qemu) -> Result<(), Trouble> {
    let golden = Golden::new(BUILT_IN, &traced(8), Medium::Disk)?;
    let mut machine = qemu.boot(&golden.image)?;
    machine.wait_for_screen(&format!("!{letter}"))?;
    let log = machine.serial()?;
    ensure(log.is_empty(), || format!("on serial: {}", String::from_utf8_lossy(&log)))
}
