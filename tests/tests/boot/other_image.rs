//! `bench --vs-image`: the machine beside another program's, which prints at a known speed.
use std::{fs, iter};

use clap::Parser;
use libtest_mimic::Trial;
use machine::{Error, golden::BUILT_IN};
use unreallm::{
    cli::{Cli, Command},
    commands::bench,
    emulator::program::Program,
};

use crate::case::{Trouble, case, ensure};

/// The tests of this file.
pub fn cases() -> Vec<Trial> {
    vec![
        case("other_image::printing_is_timed", printing_is_timed),
        case("other_image::what_does_not_boot_is_told", what_does_not_boot_is_told),
    ]
}

/// Characters that the other program prints.
const TOKENS: u8 = 40;
/// The BIOS's ticks from one to the next, and their frequency.
const TICKS: u8 = 2;
const TICKS_PER_SECOND: f64 = 1_193_182.0 / 65_536.0;

/// A boot sector that prints a dot with every second tick, by the BIOS: INT 10h, AH=0Eh.
const BOOT_SECTOR: [u8; 34] = [
    0x31, 0xC0, //                    xor ax, ax
    0x8E, 0xD8, //                    mov ds, ax
    0xFB, //                          sti
    0xB9, TOKENS, 0x00, //            mov cx, TOKENS
    0x8B, 0x16, 0x6C, 0x04, //        mov dx, [0x46C]    the count of ticks
    0x83, 0xC2, TICKS, //       next: add dx, TICKS
    0xF4,  //                    wait: hlt
    0x39, 0x16, 0x6C, 0x04, //        cmp [0x46C], dx
    0x78, 0xF9, //                    js wait
    0x31, 0xDB, //                    xor bx, bx
    0xB8, b'.', 0x0E, //              mov ax, 0x0E00 + '.'
    0xCD, 0x10, //                    int 0x10
    0xE2, 0xED, //                    loop next
    0xF4, //                     end: hlt
    0xEB, 0xFD, //                    jmp end
];
/// Bytes of the disk: with less than a cylinder the BIOS finds no geometry for it.
const DISK_BYTES: usize = 1 << 20;

fn measure(disk: &[u8]) -> Result<bench::Measurements, Trouble> {
    if Program::installed().is_err() {
        let hint = "the package is qemu-system-x86";
        return Err(Error::Missing { program: "qemu-system-x86_64".into(), hint }.into());
    }
    let wrong = |error: &dyn std::fmt::Display| Trouble::Wrong(error.to_string());
    let folder = tempfile::tempdir().map_err(|error| wrong(&error))?;
    let image = folder.path().join("other.img");
    fs::write(&image, disk).map_err(|error| wrong(&error))?;
    let tokens = TOKENS.to_string();
    let line =
        ["unreal", "bench", BUILT_IN, "--repeat", "1", "-n", "32", "--vs-tokens", &tokens, "--vs-image"];
    let line = line.iter().map(|word| word.as_ref()).chain(iter::once(image.as_os_str()));
    let Command::Bench(args) = Cli::try_parse_from(line).map_err(|error| wrong(&error))?.command else {
        unreachable!("it is a bench")
    };
    bench::measure(&args).map_err(|error| wrong(&error))
}

/// The other program's speed is what it is made for, and the ratio is that of the two.
fn printing_is_timed() -> Result<(), Trouble> {
    /// A look at the screen comes up to 0.1 s late, at both ends, and this computer may be busy.
    const MAY_DIFFER: f64 = 0.1;
    let mut disk = vec![0; DISK_BYTES];
    disk[..BOOT_SECTOR.len()].copy_from_slice(&BOOT_SECTOR);
    disk[510..512].copy_from_slice(&[0x55, 0xAA]);
    let bench::Measurements { rows, other, .. } = measure(&disk)?;
    let other = other.ok_or_else(|| Trouble::Wrong("no figures of the other image".into()))?;
    let expected = TICKS_PER_SECOND / f64::from(TICKS);
    let differs = (other.tokens_per_second / expected - 1.0).abs();
    ensure(differs < MAY_DIFFER, || format!("{other:?}, and it prints {expected:.2} a second"))?;
    let ratio = rows[0].tokens_per_second.median / other.tokens_per_second;
    ensure((other.ratio / ratio - 1.0).abs() < 1e-9, || format!("{other:?}, not {ratio}"))?;
    ensure(other.ratio > 2.0, || format!("{other:?}: nine tokens a second is slow"))
}

/// A disk without a boot sector is no program that prints.
fn what_does_not_boot_is_told() -> Result<(), Trouble> {
    match measure(&vec![0; DISK_BYTES]) {
        Err(Trouble::Wrong(error)) if error.contains("the BIOS cannot start") => Ok(()),
        Err(error) => Err(error),
        Ok(_) => Err(Trouble::Wrong("it was measured".into())),
    }
}
