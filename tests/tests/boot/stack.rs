//! How deep the programs' stacks are used, by the paint that is gone: the link leaves that and a margin.
use std::{fs, path::Path, thread::sleep, time::Duration};

use libtest_mimic::Trial;
use machine::{
    Emulator,
    golden::{BUILT_IN, image_of, packed_for, traced},
    qemu::{Qemu, QemuMachine, Storage},
    symbols,
};
use map::low_memory::{
    DEEPEST_STACK, PROGRAM_CODE, PROGRAM_CS, PROGRAM_DATA, STACK_PAINT, STACK_TOP, STAGE1,
};
use model::engine::EngineKind;
use protocol::settings::{MAX_CPUS, Settings};
use serde_json::json;
use unreallm::{
    embedded,
    image::Medium,
    machine_code::{MachineCode, Program},
};

use crate::case::{Trouble, case, ensure};

/// What is left of the other processors' stacks: their interrupts are off, and a fault's report is all that may come.
const WORKER_MARGIN: usize = 256;
/// Less is no program's: the paint was not where it is looked for.
const SHALLOWEST: u32 = 512;

/// The tests of this file.
pub fn cases() -> Vec<Trial> {
    let floppy = Qemu { storage: Storage::Floppy, ..Qemu::default() };
    vec![
        case("stack::loader_pc", || loader(Qemu::default(), Medium::Disk)),
        case("stack::loader_q35", || loader(Qemu::q35(), Medium::Disk)),
        case("stack::loader_floppy", || loader(floppy, Medium::Floppy)),
        case("stack::kernel", || kernel(EngineKind::Int8, 1)),
        case("stack::kernel_two_processors", || kernel(EngineKind::Int8, 2)),
        case("stack::sectorllm", || kernel(EngineKind::Sectorllm, 1)),
        case("stack::benchmark", benchmark),
        case("stack::workers", workers),
    ]
}

/// Holds the bytes that the stack of the program in memory has had in use against those that it is linked with.
fn is_deep_enough(machine: &mut QemuMachine, program: &Program) -> Result<(), Trouble> {
    let bottom = PROGRAM_DATA.start + program.header().data_bytes;
    let stack = machine.memory(bottom, (STACK_TOP - bottom) as usize)?;
    let words = stack.as_chunks().0.iter();
    let free = 4 * words.take_while(|word| **word == STACK_PAINT.to_le_bytes()).count() as u32;
    let used = STACK_TOP - bottom - free;
    ensure((SHALLOWEST..=DEEPEST_STACK).contains(&used), || {
        format!("{used} bytes of stack are used, not {SHALLOWEST} to {DEEPEST_STACK}")
    })
}

/// From the boot sector to the kernel's start, right before the kernel comes over it.
fn loader(qemu: Qemu, medium: Medium) -> Result<(), Trouble> {
    let code = embedded::machine_code();
    let settings = Settings { cpus: 2, ..traced(4) };
    let image = image_of(&packed_for(EngineKind::Int8, BUILT_IN)?, &code, &settings, medium)?;
    let extra = ["-S", "-smp", "2"].map(String::from).into();
    let mut machine = Qemu { extra, ..qemu }.boot(&image)?;
    machine.run_to(STAGE1.start)?; // where the loader puts its last instructions
    is_deep_enough(&mut machine, &code.loader)
}

/// Stories of every kind, the prompt with every kind of line, and at last an exception.
fn kernel(engine: EngineKind, processors: u32) -> Result<(), Trouble> {
    let code = embedded::machine_code_for(engine);
    let settings = Settings { interactive: true, cpus: processors, ..Settings::default() };
    let mut machine = boot(engine, &code, &settings, processors)?;
    machine.wait_for("the prompt", |log| log.ends_with(b"\n> "))?;
    let long = "The dog, the cat and \u{e9}\u{1f642}. ".repeat(40);
    let too_long = "x".repeat(5000);
    for line in ["Once upon a time", &long, "/temp 1.2", "a cat", "/topp 0.9", "/again", &too_long, "/help"] {
        enter(&mut machine, line)?;
    }
    for line in
        ["/stats", "/nothing", "/off now", "/temp hot", "/steps 0", "\x1b[A\x1b[D\x1b[D\x08\x1b[B\x01\x0b"]
    {
        enter(&mut machine, line)?;
    }
    machine.send(b"Tom\r")?; // a story that is stopped
    sleep(Duration::from_millis(100));
    enter(&mut machine, "\x1b")?;

    // A processor that waits for a key finds an instruction that is none when it wakes up.
    const UD2: &[u8] = &[0x0F, 0x0B];
    let place = loop {
        machine.qmp()?.execute("stop", json!({}))?;
        let registers = machine.registers()?;
        if registers.cs == PROGRAM_CS {
            break registers.eip;
        }
        machine.qmp()?.execute("cont", json!({}))?; // it was in the BIOS
        machine.check_time("waiting for a key", &[])?;
    };
    machine.overwrite(PROGRAM_CODE.start + place, UD2)?;
    machine.wait_for_text("a check of unreallm's own code failed")?;
    is_deep_enough(&mut machine, &code.kernel)
}

/// All measurements of the benchmark, in the midst of the last.
fn benchmark() -> Result<(), Trouble> {
    const TOKENS: usize = 20;
    let code = embedded::bench_code();
    let mut machine = boot(EngineKind::Int8, &code, &Settings { cpus: 2, ..traced(512) }, 2)?;
    machine.wait_for("the second story", |log| {
        let after = log.windows(8).position(|text| text == b" a token");
        after.is_some_and(|after| log.len() > after + 8 + 2 * TOKENS)
    })?;
    machine.qmp()?.execute("stop", json!({}))?;
    is_deep_enough(&mut machine, &code.kernel)
}

/// The other processors' stacks, which are zeros until they are used.
fn workers() -> Result<(), Trouble> {
    const PROCESSORS: u32 = 4;
    let (code, settings) = (embedded::machine_code(), Settings { cpus: PROCESSORS, ..traced(64) });
    let mut machine =
        boot(EngineKind::Int8, &code, &Settings { exit: false, trace: false, ..settings }, PROCESSORS)?;
    machine.wait_for("the prompt", |log| log.ends_with(b"\n> "))?;
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace is above");
    let elf = fs::read(root.join("target/machine/code16/machine/kernel"))
        .map_err(|error| Trouble::Wrong(format!("the kernel's ELF file: {error}")))?;
    let stacks = symbols::find(&elf, "processors::stacks::STACKS").map_err(Trouble::Wrong)?;
    let size = stacks.len() / (MAX_CPUS as usize - 1);
    let all = machine.memory(stacks.start, stacks.len())?;
    for (worker, stack) in all.chunks(size).enumerate().take(PROCESSORS as usize - 1) {
        let free = stack.iter().take_while(|byte| **byte == 0).count();
        ensure(free >= WORKER_MARGIN, || {
            format!("worker {}'s stack has only {free} bytes left", worker + 1)
        })?;
    }
    Ok(())
}

fn boot(
    engine: EngineKind,
    code: &MachineCode,
    settings: &Settings,
    processors: u32,
) -> Result<QemuMachine, Trouble> {
    let image = image_of(&packed_for(engine, BUILT_IN)?, code, settings, Medium::Disk)?;
    let extra = ["-smp", &processors.to_string()].map(String::from).into();
    Ok(Qemu { extra, ..Qemu::default() }.boot(&image)?)
}

/// Enters a line and waits for the next prompt.
fn enter(machine: &mut QemuMachine, line: &str) -> Result<(), Trouble> {
    let before = machine.serial()?.len();
    machine.send(format!("{line}\r").as_bytes())?;
    machine.wait_for(&format!("an answer to {line:?}"), |log| {
        log.len() > before + 1 && log[before..].contains(&b'\n') && log.ends_with(b"\n> ")
    })?;
    Ok(())
}
