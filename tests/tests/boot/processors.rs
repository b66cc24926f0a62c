//! More processors give the same story, and the machine says how many it uses.
use std::{
    thread::sleep,
    time::{Duration, Instant},
};

use libtest_mimic::Trial;
use machine::{
    Emulator,
    bochs::Bochs,
    golden::{BUILT_IN, Golden, synthetic, traced},
    qemu::Qemu,
    transcript::Transcript,
};
use protocol::settings::Settings;
use unreallm::{embedded, image::Medium};

use crate::{
    case::{Trouble, case, ensure},
    trace::{compare, equals},
};

/// Forward passes: each is some fifty jobs for the workers.
const TOKENS: u32 = 64;
/// Bochs takes turns between its processors, so it is slow.
const FEW_TOKENS: u32 = 16;

/// The tests of this file.
pub fn cases() -> Vec<Trial> {
    let smp = |count: u32, qemu: Qemu| Qemu { extra: vec!["-smp".into(), count.to_string()], ..qemu };
    // All processors in one thread of this computer: they take turns, which PAUSE and HLT end.
    let in_turns = |count: u32, qemu: Qemu| Qemu {
        extra: ["-smp", &count.to_string(), "-accel", "tcg,thread=single"].map(String::from).into(),
        ..qemu
    };
    // Asked for, the machine, and what it must say.
    let machines: [(&'static str, u32, Qemu, &'static str); 8] = [
        ("2_q35", 2, smp(2, Qemu::q35()), "cpus    2\n"),
        ("4_q35", 4, smp(4, Qemu::q35()), "cpus    4\n"),
        ("4_q35_in_turns", 4, in_turns(4, Qemu::q35()), "cpus    4\n"),
        // More than this computer may have: those that do not run leave their work to the others.
        ("16_q35", 16, smp(16, Qemu::q35()), "cpus    16\n"),
        ("2_pc", 2, smp(2, Qemu::default()), "cpus    2\n"),
        ("4_on_a_machine_with_2", 4, smp(2, Qemu::q35()), "cpus    2 of 4: the machine has 2\n"),
        ("2_on_a_machine_with_4", 2, smp(4, Qemu::q35()), "cpus    2 of the machine's 4\n"),
        (
            "2_on_a_486_without_apic",
            2,
            Qemu { cpu: Some("486"), ..Qemu::default() },
            "cpus    1 of 2: the machine lists no others",
        ),
    ];
    let mut cases: Vec<Trial> = machines
        .into_iter()
        .map(|(name, cpus, qemu, says)| {
            case(&format!("processors::{name}"), move || {
                let golden = golden(cpus, TOKENS)?;
                is_told_by(&mut qemu.boot(&golden.image)?, &golden, says)
            })
        })
        .collect();
    cases.extend([
        // Bochs enforces segment limits: the other processor is in unreal mode, too.
        case("processors::2_bochs", || {
            let golden = golden(2, FEW_TOKENS)?;
            let bochs = Bochs { processors: 2, ..Bochs::default() };
            is_told_by(&mut bochs.boot(&golden.image)?, &golden, "cpus    2\n")
        }),
        case("processors::4_q35_15M", move || {
            let settings = Settings { cpus: 4, ..traced(4) };
            let golden =
                Golden::of_packed(&synthetic("15M")?, &embedded::machine_code(), &settings, Medium::Disk)?;
            equals(&mut in_turns(4, Qemu::q35()).boot(&golden.image)?, &golden).map(|_| ())
        }),
        case("processors::waiting_costs_nothing_1", || waiting(1)),
        case("processors::waiting_costs_nothing_2", || waiting(2)),
        case("processors::waiting_costs_nothing_16", || waiting(16)),
    ]);
    cases
}

/// A machine that waits at its prompt takes next to nothing of this computer, and wakes at once: the stories after
/// each pause are the host's, and begin as soon as those of one processor do.
fn waiting(cpus: u32) -> Result<(), Trouble> {
    const WATCHED: Duration = Duration::from_secs(2);
    const PAUSES: usize = 9;
    const PAUSE: Duration = Duration::from_millis(200);
    /// From Enter to the first token on the serial port; this computer may be busy, so the median counts.
    const AT_ONCE: Duration = Duration::from_millis(50);
    let settings = Settings { cpus, steps: 24, trace: true, interactive: true, ..Settings::default() };
    let golden = Golden::new(BUILT_IN, &settings, Medium::Disk)?;
    let qemu = Qemu { extra: vec!["-smp".into(), cpus.to_string()], ..Qemu::q35() };
    let mut machine = qemu.boot(&golden.image)?;
    machine.wait_for("the prompt", |log| log.ends_with(b"\n> "))?;
    let mut delays = Vec::new();
    for _ in 0..PAUSES {
        sleep(PAUSE);
        let before = machine.serial()?.len();
        let sent = Instant::now();
        machine.send(b"\r")?;
        let log = machine.wait_for("a story", |log| log.len() > before + 2 && log.ends_with(b"\n> "))?;
        compare(&Transcript::parse(&log[before..]), &golden)?;
        let echo = b"\r\n".len();
        let first = machine.serial_arrival(before + echo).expect("it was waited for");
        let started = machine.process().started();
        delays.push((started + first).saturating_duration_since(sent));
    }
    delays.sort();
    ensure(delays[PAUSES / 2] < AT_ONCE, || format!("the first token came after {delays:?}"))?;
    let before = machine.process().cpu_time()?;
    sleep(WATCHED);
    let used = machine.process().cpu_time()? - before;
    ensure(used < WATCHED / 50, || format!("waiting for {WATCHED:?} took {used:?} of a processor"))
}

fn golden(cpus: u32, tokens: u32) -> Result<Golden, Trouble> {
    Ok(Golden::new(BUILT_IN, &Settings { cpus, ..traced(tokens) }, Medium::Disk)?)
}

/// The host's trace, which one processor calculated, and a line that tells how many there were here.
fn is_told_by(machine: &mut impl Emulator, golden: &Golden, says: &str) -> Result<(), Trouble> {
    let (_, log) = machine.wait_for_end()?;
    let transcript = Transcript::parse(&log);
    compare(&transcript, golden)?;
    ensure(transcript.text.contains(says), || format!("no '{says}' in:\n{}", transcript.text))
}
