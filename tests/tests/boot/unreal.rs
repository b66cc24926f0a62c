//! Unreal mode, seen from outside: real mode all the way, with limits of 4 GB.
use std::{path::Path, thread::sleep, time::Duration};

use libtest_mimic::Trial;
use machine::{
    Emulator,
    bochs::Bochs,
    golden::{BUILT_IN, Golden, image_of, packed, traced},
    nasty_bios::{Faults, IRQS, irq_counts},
    outcome::{Outcome, judge},
    qemu::Qemu,
    transcript::Transcript,
};
use map::low_memory::{PROGRAM_CODE, PROGRAM_CS};
use protocol::settings::Settings;
use serde_json::json;
use unreallm::{embedded, image::Medium, machine_code::MachineCode};

use crate::{
    case::{Trouble, case, ensure},
    trace::compare,
};

/// The tests of this file.
pub fn cases() -> Vec<Trial> {
    vec![
        case("unreal::qemu_cr0_20_times", || samples(20)),
        case("unreal::bochs_mid_story", mid_story),
        case("unreal::bochs_bios_that_resets_limits", nasty_calls),
        case("unreal::bochs_interrupts_that_reset_limits", nasty_interrupts),
        case("unreal::bochs_faults_without_unreal_mode", || {
            let golden = without_unreal_mode()?;
            match judge(&mut Bochs::default().boot(&golden.image)?, &golden.trace)? {
                Outcome::Stopped { reason, .. }
                    if reason.starts_with("unreallm: exception 0Dh (general protection) at CS:IP ") =>
                {
                    Ok(())
                }
                other => Err(Trouble::Wrong(format!("{other:?}"))),
            }
        }),
        case("unreal::a_segment_that_begins_elsewhere_is_noticed", || {
            let image = with_another_gs()?;
            match judge(&mut Qemu::default().boot(&image)?, &[])? {
                Outcome::Stopped { reason, .. }
                    if reason.starts_with("unreallm: segment gs does not reach") =>
                {
                    Ok(())
                }
                other => Err(Trouble::Wrong(format!("{other:?}"))),
            }
        }),
        // Why two of the tests above need Bochs: QEMU does not check limits.
        case("unreal::qemu_does_not_notice", || {
            let golden = without_unreal_mode()?;
            let outcome = judge(&mut Qemu::default().boot(&golden.image)?, &golden.trace)?;
            ensure(outcome == Outcome::Told, || format!("{outcome:?}"))
        }),
    ]
}

/// Looks at the processor again and again while a story is told. The machine runs a few
/// milliseconds between two looks.
fn samples(wanted: usize) -> Result<(), Trouble> {
    let settings = Settings { exit: false, ..traced(0) };
    let golden = Golden::new(BUILT_IN, &settings, Medium::Disk)?;
    let mut machine = Qemu::default().boot(&golden.image)?;
    machine.wait_for("the first token", |log| !Transcript::parse(log).trace.is_empty())?;
    let mut in_kernel = 0;
    for sample in 0..wanted {
        machine.qmp()?.execute("stop", json!({}))?;
        let registers = machine.registers()?;
        ensure(!registers.protected(), || format!("sample {sample}: {registers:x?}"))?;
        ensure(registers.ds_limit == u32::MAX, || format!("sample {sample}: {registers:x?}"))?;
        if registers.cs == PROGRAM_CS && registers.eip < PROGRAM_CODE.size() {
            in_kernel += 1;
        }
        let told = Transcript::parse(&machine.serial()?).summary();
        ensure(told.is_none(), || format!("the story was over after {sample} samples"))?;
        machine.qmp()?.execute("cont", json!({}))?;
        sleep(Duration::from_millis(3));
    }
    ensure(in_kernel * 2 > wanted, || format!("only {in_kernel} of {wanted} samples in the kernel's code"))
}

/// Bochs tells the limits as the processor holds them.
fn mid_story() -> Result<(), Trouble> {
    const TOKENS: usize = 5;
    let golden = Golden::new(BUILT_IN, &Settings { exit: false, ..traced(0) }, Medium::Disk)?;
    let mut machine = Bochs::default().boot(&golden.image)?;
    machine.wait_for("five tokens", |log| Transcript::parse(log).trace.len() >= TOKENS)?;
    let registers = machine.freeze()?.registers;
    ensure(registers.cs == PROGRAM_CS, || format!("{registers:x?}"))?;
    ensure(!registers.protected() && registers.ds_limit == u32::MAX, || format!("{registers:x?}"))
}

/// Each call of the BIOS sets the limits to 64 KB; the kernel must set them again.
fn nasty_calls() -> Result<(), Trouble> {
    let faults = Some(Faults { reset_limits: true, ..Faults::default() });
    let golden = Golden::new(BUILT_IN, &traced(16), Medium::Disk)?;
    let (_, log) = Bochs { faults, ..Bochs::default() }.boot(&golden.image)?.wait_for_end()?;
    compare(&Transcript::parse(&log), &golden)
}

/// Each interrupt sets the limits to 64 KB: hundreds, of every device, while a story is told. COM1's come
/// in between, with whatever limits there are.
fn nasty_interrupts() -> Result<(), Trouble> {
    /// Each device has its turn several times.
    const AT_LEAST: u16 = 4;
    let faults = Some(Faults { irqs_reset_limits: true, ..Faults::default() });
    let golden = Golden::new(BUILT_IN, &traced(256), Medium::Disk)?;
    let mut machine = Bochs { faults, ..Bochs::default() }.boot(&golden.image)?;
    for token in 1..=10 {
        machine.wait_for("a token", |log| Transcript::parse(log).trace.len() > token * 8)?;
        machine.send(b"a line of text")?;
    }
    let (_, log) = machine.wait_for_end()?;
    compare(&Transcript::parse(&log), &golden)?;
    let counts = irq_counts(&log);
    ensure(counts.is_some_and(|counts| counts.iter().all(|&count| count >= AT_LEAST)), || {
        format!("so many interrupts on lines {IRQS:?}: {counts:?}")
    })
}

/// An image whose loader ends its way into unreal mode with GS from AX, the lower half of CR0, instead of
/// from BX, 0.
fn with_another_gs() -> Result<Vec<u8>, Trouble> {
    const LAST_LOADS: &[u8] = &[0x8E, 0xE3, 0x8E, 0xEB, 0x66, 0x5B]; // mov fs, bx; mov gs, bx; pop ebx
    const FROM_AX: u8 = 0xE8; // mov gs, ax
    let mut code = embedded::machine_code();
    let file = &mut code.loader.file;
    let places: Vec<usize> = file
        .windows(LAST_LOADS.len())
        .enumerate()
        .filter(|(_, bytes)| *bytes == LAST_LOADS)
        .map(|(at, _)| at)
        .collect();
    let [place] = places[..] else {
        return Err(Trouble::Wrong(format!("GS is loaded at {places:x?}")));
    };
    file[place + 3] = FROM_AX;
    code.loader.seal(code.loader.header()).expect("the lengths are as they were");
    Ok(image_of(&packed(BUILT_IN)?, &code, &traced(16), Medium::Disk)?)
}

/// An image whose boot sector and kernel leave out the entry into unreal mode.
fn without_unreal_mode() -> Result<Golden, Trouble> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the package lies in the workspace");
    let target = root.join("target/machine-without-unreal");
    let code = MachineCode::from_source(root, &target, &["leave-out-unreal"])
        .map_err(|error| Trouble::Wrong(error.to_string()))?;
    Ok(Golden::of_packed(&packed(BUILT_IN)?, &code, &traced(16), Medium::Disk)?)
}
