//! What speed rests on: the benchmark reports, and a kernel that calculates wrong is not used.
use std::{path::Path, time::Duration};

use libtest_mimic::Trial;
use machine::{
    Emulator,
    golden::{BUILT_IN, Golden, image_of, packed, traced},
    nasty_bios::Faults,
    qemu::Qemu,
    transcript::Transcript,
};
use map::program_header::ProgramHeader;
use protocol::benchmark::{Measured, Report};
use protocol::settings::Settings;
use unreallm::{
    embedded,
    image::Medium,
    machine_code::{
        MachineCode, Program,
        compile::{LOADER, compile},
    },
};

use crate::{
    case::{Trouble, case, ensure},
    trace::compare,
};

/// The tests of this file.
pub fn cases() -> Vec<Trial> {
    vec![
        case("speed::benchmark_q35", || benchmark(Qemu::q35(), 1)),
        case("speed::benchmark_2_cpus", || {
            benchmark(Qemu { extra: ["-smp", "2"].map(String::from).into(), ..Qemu::q35() }, 2)
        }),
        case("speed::benchmark_486", || benchmark(Qemu { cpu: Some("486"), ..Qemu::default() }, 1)),
        case("speed::clock_without_tsc", || clock_without_tsc(None)),
        case("speed::clock_without_tsc_in_square_wave_mode", || {
            clock_without_tsc(Some(Faults { square_wave: true, ..Faults::default() }))
        }),
        case("speed::broken_simd_is_left_out", || {
            let failures = ["cpu     SSE4.1 calculates wrong here", "cpu     SSE2 calculates wrong here"];
            changed_loader("break-simd", &[&failures[..], &["simd    no SIMD"]].concat())
        }),
        case("speed::slow_simd_is_not_chosen", || changed_loader("slow-simd", &["simd    SSE2, "])),
        case("speed::sse41_in_tcg", || names_kernel(Some("max"), "SSE4.1, ")),
        case("speed::sse2_without_sse41", || names_kernel(Some("qemu64"), "SSE2, ")),
        case("speed::no_simd_on_a_pentium", || names_kernel(Some("pentium"), "no SIMD")),
    ]
}

/// Every figure is there, and they fit each other.
fn benchmark(qemu: Qemu, cpus: u32) -> Result<(), Trouble> {
    const STEPS: u32 = 40;
    let settings =
        Settings { cpus, steps: STEPS, exit: true, prompt: "Once upon a time".into(), ..Settings::default() };
    let packed = packed(BUILT_IN)?;
    let image = image_of(&packed, &embedded::bench_code(), &settings, Medium::Disk)?;
    let (_, log) = qemu.boot(&image)?.wait_for_end()?;
    let log = String::from_utf8_lossy(&log);
    let report = Report::find(&log).ok_or_else(|| Trouble::Wrong(format!("no report in:\n{log}")))?;
    let Report { load, prompt, story, load_only, phases } = report;
    let sane = |what: &str, is: bool| ensure(is, || format!("{what}: {report:?}"));
    sane("bytes of the model", load.count == packed.len() as u64)?;
    sane("tokens of the story", story.count == u64::from(STEPS))?;
    sane("tokens of the prompt", (4..20).contains(&prompt.count))?;
    sane("bytes of the weights", (200_000..load.count).contains(&load_only.count))?;
    sane("times", [load, prompt, story, load_only].iter().all(|measured| measured.micros > 0))?;
    sane("the load_only is below a token's time", load_only.micros * story.count < story.micros)?;
    sane("a phase for each token", phases.iter().all(|phase| phase.count == story.count))?;
    // Two runs of the same work: on a busy computer they differ, but not by their nature.
    let sum: u64 = phases.iter().map(|Measured { micros, .. }| micros).sum();
    sane("the phases are the token", (story.micros / 10..story.micros * 10).contains(&sum))
}

/// A machine without a time-stamp counter measures a story as this computer does, whatever mode its BIOS
/// left the timer in.
fn clock_without_tsc(faults: Option<Faults>) -> Result<(), Trouble> {
    const STEPS: u32 = 400;
    /// How far the two may be apart: a part of the time, and what this computer may be late.
    const PART: u32 = 10;
    const LATE: Duration = Duration::from_millis(60);
    let settings = Settings { steps: STEPS, exit: true, ..Settings::default() };
    let image = image_of(&packed(BUILT_IN)?, &embedded::bench_code(), &settings, Medium::Disk)?;
    let mut machine = Qemu { cpu: Some("486"), faults, ..Qemu::default() }.boot(&image)?;
    let (_, log) = machine.wait_for_end()?;
    let text = String::from_utf8_lossy(&log);
    let report = Report::find(&text).ok_or_else(|| Trouble::Wrong(format!("no report in:\n{text}")))?;
    let arrival = |text: &str| {
        let at = log.windows(text.len()).position(|window| window == text.as_bytes());
        let arrival = at.and_then(|at| machine.serial_arrival(at));
        arrival.ok_or_else(|| Trouble::Wrong(format!("no '{text}' in:\n{}", String::from_utf8_lossy(&log))))
    };
    let here = arrival(&format!("[{} tokens", report.story.count))? - arrival("cpus    1")?;
    let there = Duration::from_micros(report.story.micros);
    ensure(there.abs_diff(here) < here / PART + LATE, || format!("{there:?} there, {here:?} here"))?;
    let phases = report.phases.iter().map(|phase| phase.micros);
    let all: u64 =
        [report.load, report.prompt, report.story].iter().map(|part| part.micros).chain(phases).sum();
    let (all, age) = (Duration::from_micros(all), machine.process().age());
    ensure(all < age, || format!("{all:?} in all, in {age:?}: {report:?}"))
}

/// A loader whose SIMD is changed by a feature says what it makes of it, and the story is the same.
fn changed_loader(feature: &str, all: &[&str]) -> Result<(), Trouble> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace is above");
    let wrong = |error: &dyn std::fmt::Display| Trouble::Wrong(error.to_string());
    let folder = root.join(format!("target/machine-{feature}"));
    let loader = compile(root, &folder, LOADER, &[feature]).map_err(|error| wrong(&error))?;
    let mut code = MachineCode {
        loader: Program::loader(&loader).map_err(|error| wrong(&error))?,
        ..embedded::machine_code()
    };
    // Only what the self-test finds is another: the handover is the same.
    let header = ProgramHeader { build: code.loader.header().crc, ..code.kernel.header() };
    code.kernel.seal(header).expect("the lengths are as they were");
    let golden = Golden::of_packed(&packed(BUILT_IN)?, &code, &traced(32), Medium::Disk)?;
    let qemu = Qemu { cpu: Some("max"), ..Qemu::q35() };
    let (_, log) = qemu.boot(&golden.image)?.wait_for_end()?;
    let transcript = Transcript::parse(&log);
    compare(&transcript, &golden)?;
    for says in all {
        ensure(transcript.text.contains(says), || format!("no '{says}' in:\n{}", transcript.text))?;
    }
    Ok(())
}

/// The banner names the kernel that suits the CPU.
fn names_kernel(cpu: Option<&'static str>, kernel: &str) -> Result<(), Trouble> {
    let golden = Golden::new(BUILT_IN, &traced(2), Medium::Disk)?;
    let mut machine = Qemu { cpu, ..Qemu::q35() }.boot(&golden.image)?;
    let (_, log) = machine.wait_for_end()?;
    let text = Transcript::parse(&log).text;
    let says = format!("simd    {kernel}");
    ensure(text.contains(&says), || format!("no '{says}' in:\n{text}"))
}
