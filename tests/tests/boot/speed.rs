//! What speed rests on: the benchmark reports, and a kernel that calculates wrong is not used.
use std::path::Path;

use libtest_mimic::Trial;
use machine::{
    Emulator,
    golden::{BUILT_IN, Golden, image_of, packed, traced},
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
        case("speed::broken_simd_is_left_out", broken_simd),
        case("speed::sse41_in_tcg", || names_kernel(Some("max"), "SSE4.1")),
        case("speed::sse2_without_sse41", || names_kernel(Some("qemu64"), "SSE2")),
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

/// A loader whose SIMD kernels are wrong says so, and the story is the same.
fn broken_simd() -> Result<(), Trouble> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace is above");
    let wrong = |error: &dyn std::fmt::Display| Trouble::Wrong(error.to_string());
    let loader = compile(root, &root.join("target/machine-break-simd"), LOADER, &["break-simd"])
        .map_err(|error| wrong(&error))?;
    let mut code =
        MachineCode { loader: Program::loader(&loader).map_err(|error| wrong(&error))?, ..embedded::machine_code() };
    // Only what the self-test finds is another: the handover is the same.
    let header = ProgramHeader { build: code.loader.header().crc, ..code.kernel.header() };
    code.kernel.seal(header).expect("the lengths are as they were");
    let golden = Golden::of_packed(&packed(BUILT_IN)?, &code, &traced(32), Medium::Disk)?;
    let qemu = Qemu { cpu: Some("max"), ..Qemu::q35() };
    let (_, log) = qemu.boot(&golden.image)?.wait_for_end()?;
    let transcript = Transcript::parse(&log);
    compare(&transcript, &golden)?;
    for says in ["cpu     SSE4.1 calculates wrong here", "cpu     SSE2 calculates wrong here", ", no SIMD, "]
    {
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
    let says = format!(", {kernel}, ");
    ensure(text.contains(&says), || format!("no '{says}' in:\n{text}"))
}
