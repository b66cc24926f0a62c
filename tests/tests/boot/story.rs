//! The story is the same on the serial port, in video memory and on the host.
use libtest_mimic::Trial;
use machine::{
    Emulator,
    bochs::Bochs,
    golden::{BUILT_IN, Golden, PUBLISHED, packed},
    qemu::{Qemu, QemuMachine},
    screen::{COLUMNS, ROWS, Screen, squeezed},
    transcript::Transcript,
};
use map::low_memory::STACK_PAINT;
use map::program_header::ProgramHeader;
use model::packed::PackedHeader;
use protocol::settings::Settings;
use unreallm::{embedded, image::Medium};

use crate::case::{Trouble, case, ensure};

/// The tests of this file.
pub fn cases() -> Vec<Trial> {
    let mut cases = Vec::new();
    for model in [BUILT_IN, PUBLISHED] {
        cases.push(case(&format!("story::qemu_pc_{model}"), move || {
            let golden = golden(model)?;
            let mut machine = Qemu::default().boot(&golden.image)?;
            is_told(&mut machine, &golden)?;
            cursor_is_below_the_text(&mut machine)
        }));
        cases.push(case(&format!("story::qemu_q35_{model}"), move || {
            let golden = golden(model)?;
            is_told(&mut Qemu::q35().boot(&golden.image)?, &golden)
        }));
        cases.push(case(&format!("story::bochs_{model}"), move || {
            let golden = golden(model)?;
            is_told(&mut Bochs::default().boot(&golden.image)?, &golden)
        }));
    }
    cases.push(case("story::banner_fits_and_is_true", banner));
    cases
}

/// The lines in front of the story fit the screen, and each part is where they say.
fn banner() -> Result<(), Trouble> {
    let golden = golden(BUILT_IN)?;
    let packed = packed(BUILT_IN)?;
    let mut machine = Qemu::q35().boot(&golden.image)?;
    let log = machine.wait_for("the prompt", |log| log.ends_with(b"\n> "))?;
    let text = Transcript::parse(&log).text;
    let lines: Vec<&str> = text.lines().take_while(|line| !line.is_empty()).collect();
    for name in ["cpu", "memory", "model", "shape", "plan", "places"] {
        ensure(lines.iter().any(|line| line.starts_with(name)), || format!("no line '{name}' in:\n{text}"))?;
    }
    for line in lines.iter().flat_map(|line| line.rsplit('\r').next()) {
        ensure(line.len() <= COLUMNS, || format!("too long for the screen: {line}"))?;
    }
    let places = lines.iter().find_map(|line| line.strip_prefix("places  ")).unwrap_or_default();
    let place = |name: &str| {
        let address = places.split(", ").find_map(|part| part.strip_suffix(name)?.trim().strip_prefix("0x"));
        let address = address.and_then(|digits| u32::from_str_radix(digits, 16).ok());
        address.ok_or_else(|| Trouble::Wrong(format!("no {name} in: {places}")))
    };
    let is_at = |machine: &mut QemuMachine, name: &str, expected: &[u8]| {
        let found = machine.memory(place(name)?, expected.len())?;
        ensure(found == expected, || format!("{name} is not there: {places}"))
    };
    let code = embedded::machine_code();
    is_at(&mut machine, "code", &code.kernel.file[ProgramHeader::CODE_START..][..4096])?;
    is_at(&mut machine, "data", &code.kernel.file[..ProgramHeader::BYTES])?;
    is_at(&mut machine, "stack", &STACK_PAINT.to_le_bytes())?; // of its lowest words nothing is used
    let header = PackedHeader::read(&mut &packed[..]).expect("it was packed here");
    let first = header.entries[0].offset as usize;
    is_at(&mut machine, "model", &packed[first..][..256])?;
    let cache = machine.memory(place("cache")?, 4096)?;
    ensure(cache.iter().any(|&byte| byte != 0), || {
        format!("no keys and values at the cache's place: {places}")
    })
}

/// A greedy story, after which the machine waits: its screen can be read.
fn golden(model: &str) -> Result<Golden, Trouble> {
    Ok(Golden::new(model, &Settings::default(), Medium::Disk)?)
}

fn is_told(machine: &mut impl Emulator, golden: &Golden) -> Result<(), Trouble> {
    let log = machine.wait_for("the prompt", |log| log.ends_with(b"\n> "))?;
    let transcript = Transcript::parse(&log);
    let (text, story) = (&transcript.text, &golden.text);
    ensure(text.contains(&format!("{story}\n")), || {
        format!("serial has:\n{text}\nnot the host's:\n{story}")
    })?;
    let (tokens, rate) = transcript.summary().expect("waited for above");
    ensure(tokens as usize == golden.trace.len(), || format!("{tokens} tokens, not {}", golden.trace.len()))?;
    ensure(rate > 0.0, || format!("{rate} tok/s"))?;
    ensure(transcript.trace.is_empty(), || "a trace that nobody asked for".into())?;
    let seen = machine.freeze()?;
    ensure(!seen.registers.protected(), || format!("{:x?}", seen.registers))?;
    shows(&seen.screen, story)
}

/// The screen holds the story, or as much of its end as there is room for.
fn shows(screen: &Screen, story: &str) -> Result<(), Trouble> {
    /// Characters that stay on the screen, also where much else is on it.
    const SHOWN: usize = 1000;
    let story: Vec<char> = squeezed(story).chars().collect();
    let end: String = story[story.len().saturating_sub(SHOWN)..].iter().collect();
    let shown = screen.squeezed();
    ensure(shown.contains(&end), || {
        format!("the screen shows:\n{}\nnot the story's end:\n{end}", screen.text())
    })
}

fn cursor_is_below_the_text(machine: &mut QemuMachine) -> Result<(), Trouble> {
    let screen = machine.screen()?;
    // The last row is the status line; the prompt's mark is in the last row of the text.
    let last = (0..ROWS - 1).rev().find(|&row| !screen.row(row).is_empty()).unwrap_or(0);
    let cursor = machine.cursor()?;
    ensure(screen.row(last) == ">" && cursor == (last, 2), || {
        format!("cursor at {cursor:?}, text down to row {last}")
    })
}
