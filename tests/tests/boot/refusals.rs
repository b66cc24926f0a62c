//! What is wrong is said in one sentence, on both consoles.
use std::{path::Path, time::Duration};

use libtest_mimic::Trial;
use machine::{
    Emulator,
    corruption::Region,
    golden::{BUILT_IN, Golden, image_of, packed_for, traced},
    nasty_bios::{BadSector, Faults, Range},
    outcome::{Outcome, judge},
    qemu::{Qemu, Storage},
    screen::squeezed,
};
use map::disk::{KERNEL_LBA, LOADER_LBA, MODEL_LBA, PROGRAM_SECTORS, SECTOR, SETTINGS_LBA};
use model::engine::EngineKind;
use protocol::settings::Settings;
use unreallm::{
    embedded,
    image::Medium,
    machine_code::{MachineCode, Program},
};

use crate::case::{Trouble, case, ensure};

/// A sector in the middle of the model.
const IN_MODEL: u32 = MODEL_LBA + 300;
/// A sector in the middle of the kernel.
const IN_KERNEL: u32 = KERNEL_LBA + 100;
/// A sector in the middle of the loader.
const IN_LOADER: u32 = LOADER_LBA + 100;
/// In a program's file: constants, behind the header.
const RODATA: u32 = 0x600;
/// In the kernel's file: zeros, behind the constants and before the stack.
const BSS: u32 = 0x4000;
/// The end of a program's file: zeros behind the code.
const CODE_END: u32 = PROGRAM_SECTORS * SECTOR;

/// The tests of this file.
pub fn cases() -> Vec<Trial> {
    // What to do to the image, the machine, and what the sentence must name. The last is whether
    // the settings were read before, so that the machine knows that it is to switch itself off.
    type Damage = fn(&mut Golden);
    let refusals: [(&'static str, Damage, Qemu, &'static [&'static str], bool); 14] = [
        ("model_flipped", |g| flip(g, Region::Model), Qemu::default(), &["model", "damaged"], true),
        ("model_cut_off", |g| cut(g, IN_MODEL), Qemu::default(), &["disk", "sector"], true),
        (
            "model_unreadable_q35",
            |_| {},
            Qemu { machine: Some("q35"), ..bad_sector(IN_MODEL) },
            &["disk", "sector"],
            true,
        ),
        ("model_unreadable", |_| {}, bad_sector(IN_MODEL), &["disk", "sector"], true),
        ("no_memory_above_1_mb", |_| {}, Qemu { memory: Some(1), ..Qemu::default() }, &["memory"], false),
        ("memory_too_small", |_| {}, small_memory(), &["model", "MiB", "-m "], true),
        ("settings_flipped", |g| flip(g, Region::Settings), Qemu::default(), &["settings"], false),
        (
            "loader_flipped",
            |g| flip_byte(g, LOADER_LBA, RODATA),
            Qemu::default(),
            &["the loader is damaged"],
            false,
        ),
        (
            "kernel_flipped",
            |g| flip_byte(g, KERNEL_LBA, RODATA),
            Qemu::default(),
            &["the kernel is damaged"],
            true,
        ),
        (
            "loader_zeros_flipped",
            |g| flip_byte(g, LOADER_LBA, CODE_END - 1),
            Qemu::default(),
            &["the loader is damaged"],
            false,
        ),
        (
            "kernel_bss_flipped",
            |g| flip_byte(g, KERNEL_LBA, BSS),
            Qemu::default(),
            &["the kernel is damaged"],
            true,
        ),
        (
            "settings_zeros_flipped",
            |g| flip_byte(g, SETTINGS_LBA, 7 * SECTOR - 1),
            Qemu::default(),
            &["settings are damaged"],
            false,
        ),
        // The settings, which are read first, lie behind the kernel.
        ("kernel_cut_off", |g| cut(g, IN_KERNEL), Qemu::default(), &["disk", "sector", "cut short"], false),
        ("kernel_unreadable", |_| {}, bad_sector(IN_KERNEL), &["disk", "sector"], true),
    ];
    let mut cases: Vec<Trial> = refusals
        .into_iter()
        .map(|(name, damage, qemu, words, off)| {
            case(&format!("refusals::{name}"), move || is_refused(damage, &qemu, words, off))
        })
        .collect();
    cases.extend([
        case("refusals::stage1_loader_cut_off", || letter(|g| cut(g, IN_LOADER), Qemu::default())),
        case("refusals::stage1_loader_unreadable", || letter(|_| {}, bad_sector(IN_LOADER))),
        case("refusals::kernel_of_another_build", || {
            let mut code = embedded::machine_code();
            code.kernel = kernel_of_another_build()?;
            let says = "loader and kernel are of two builds; write the image again";
            is_refused_as(&code, EngineKind::Int8, says)
        }),
        case("refusals::model_of_another_engine", || {
            let says =
                "the model is packed for the engine sector and the kernel has int8; write the image again";
            is_refused_as(&embedded::machine_code(), EngineKind::Sectorllm, says)
        }),
        case("refusals::model_of_the_kernels_engine", || {
            let says =
                "the model is packed for the engine int8 and the kernel has sector; write the image again";
            is_refused_as(&embedded::machine_code_for(EngineKind::Sectorllm), EngineKind::Int8, says)
        }),
        case("refusals::read_error_names_sector_and_status", || {
            let faults = Faults {
                bad_sector: Some(BadSector { lba: IN_MODEL, times: None, status: 0x40 }),
                ..Faults::default()
            };
            // The pc machine's IDE disk is read past the BIOS.
            let qemu = Qemu { faults: Some(faults), ..Qemu::q35() };
            is_refused(|_| {}, &qemu, &["40h"], true)
        }),
    ]);
    cases
}

fn flip(golden: &mut Golden, region: Region) {
    let bytes = region.bytes(&golden.image, golden.model_bytes);
    let byte = match region {
        Region::Settings => bytes.start + 40, // the zeros behind the text are no settings
        _ => (bytes.start + bytes.end) / 2,
    };
    golden.image[byte] ^= 0x10;
}

/// One bit of a program's or the settings' file.
fn flip_byte(golden: &mut Golden, lba: u32, into: u32) {
    golden.image[(lba * SECTOR + into) as usize] ^= 4;
}

fn cut(golden: &mut Golden, lba: u32) {
    golden.image.truncate((lba * SECTOR) as usize);
}

/// A BIOS that offers 512 KiB above 1 MiB: enough for the settings, not for the model.
fn small_memory() -> Qemu {
    let usable = |base, length| Range { base, length, kind: 1 };
    let memory_map = vec![usable(0, 0x9_F000), usable(1 << 20, 512 << 10)];
    Qemu { faults: Some(Faults { memory_map, ..Faults::default() }), ..Qemu::default() }
}

fn bad_sector(lba: u32) -> Qemu {
    Qemu { storage: Storage::BadSector(lba), ..Qemu::default() }
}

/// The machine stops with a sentence that has `words` in it, on both consoles.
fn is_refused(damage: fn(&mut Golden), qemu: &Qemu, words: &[&str], off: bool) -> Result<(), Trouble> {
    let mut golden = Golden::new(BUILT_IN, &traced(8), Medium::Disk)?;
    damage(&mut golden);
    let outcome = judge(&mut qemu.boot(&golden.image)?, &golden.trace)?;
    let Outcome::Stopped { reason, off: is_off } = outcome else {
        return Err(Trouble::Wrong(format!("{outcome:?}")));
    };
    for word in words {
        ensure(reason.contains(word), || format!("no '{word}' in: {reason}"))?;
    }
    ensure(is_off == off, || format!("switched off: {is_off}, after: {reason}"))?;

    let mut golden = Golden::new(BUILT_IN, &Settings::default(), Medium::Disk)?;
    damage(&mut golden);
    let mut machine = qemu.boot(&golden.image)?;
    machine.wait_for_text(reason.as_str().split(" (CRC").next().expect("a first part"))?;
    std::thread::sleep(Duration::from_millis(100));
    let screen = machine.freeze()?.screen;
    ensure(screen.squeezed().contains(&squeezed(&reason[..40.min(reason.len())])), || {
        format!("the screen shows:\n{}", screen.text())
    })
}

/// A kernel that was compiled with another loader: one that leaves out the way into unreal mode.
fn kernel_of_another_build() -> Result<Program, Trouble> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the package lies in the workspace");
    let target = root.join("target/machine-without-unreal");
    let code = MachineCode::from_source(root, &target, &["leave-out-unreal"]);
    code.map(|code| code.kernel).map_err(|error| Trouble::Wrong(error.to_string()))
}

/// The machine stops with this sentence, when it knows the settings.
fn is_refused_as(code: &MachineCode, engine: EngineKind, sentence: &str) -> Result<(), Trouble> {
    let image = image_of(&packed_for(engine, BUILT_IN)?, code, &traced(8), Medium::Disk)?;
    let outcome = judge(&mut Qemu::default().boot(&image)?, &[])?;
    let expected = Outcome::Stopped { reason: format!("unreallm: {sentence}"), off: true };
    ensure(outcome == expected, || format!("{outcome:?}, not {expected:?}"))
}

/// The boot sector stops with the letter R: a sector cannot be read.
fn letter(damage: fn(&mut Golden), qemu: Qemu) -> Result<(), Trouble> {
    let mut golden = Golden::new(BUILT_IN, &traced(8), Medium::Disk)?;
    damage(&mut golden);
    let mut machine = qemu.boot(&golden.image)?;
    machine.wait_for_screen("!R")?;
    let log = machine.serial()?;
    ensure(log.is_empty(), || format!("on serial: {}", String::from_utf8_lossy(&log)))
}
