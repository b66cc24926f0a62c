//! Exceptions in the kernel's own code: a sentence with the place and the cause, and the end.
use libtest_mimic::Trial;
use machine::{
    Emulator,
    golden::{BUILT_IN, image_of, packed, traced},
    outcome::{EXIT_STOPPED, Outcome, judge},
    qemu::{Qemu, QemuMachine},
    transcript::Transcript,
};
use map::low_memory::{PROGRAM_CODE, PROGRAM_CS};
use protocol::settings::Settings;
use serde_json::json;
use unreallm::{embedded, image::Medium};

use crate::case::{Trouble, case, ensure};

/// UD2, which stands where the code would panic, and UD0.
const UD2: &[u8] = &[0x0F, 0x0B];
const UD0: &[u8] = &[0x0F, 0xFF];
/// Bytes of code that are looked at before and behind the place where a processor stands.
const NEAR: usize = 16;

/// Whether it is about to put a byte out at a port that DX names: so does the serial port's driver for
/// each byte, and the screen's for the cursor.
fn is_console(_: &[u8], ahead: &[u8]) -> bool {
    const OUT: u8 = 0xEE;
    ahead.contains(&OUT)
}

/// Whether it is about to multiply registers (IMUL): so does the engine, and nothing that is needed for
/// the last words.
fn multiplies(_: &[u8], ahead: &[u8]) -> bool {
    const IMUL: [u8; 2] = [0x0F, 0xAF];
    ahead.windows(IMUL.len()).any(|window| window == IMUL)
}

/// Whether it waits in a loop (PAUSE): where an application processor does, the first one never comes.
fn waits(before: &[u8], ahead: &[u8]) -> bool {
    const PAUSE: [u8; 2] = [0xF3, 0x90];
    [before, ahead].concat().windows(PAUSE.len()).any(|window| window == PAUSE)
}

/// The tests of this file.
pub fn cases() -> Vec<Trial> {
    // An instruction that raises it, how far behind its start the CPU says it was, and the sentence.
    // Unlike Bochs, QEMU checks no limits, so the last two are called like an interrupt: what is told
    // apart there is the IRQ with the same vector, which is not in service. They are called twice: the first
    // one may have come because limits were lost. `unreal` has a real 0Dh.
    let causes: [(&str, &[u8], u32, &str); 5] = [
        ("divide_error", &[0xD4, 0x00], 0, "00h (divide error)"), // aam 0
        ("invalid_opcode", UD0, 0, "06h (invalid opcode)"),
        ("failed_check", UD2, 0, "06h (a check of unreallm's own code failed)"),
        ("stack_fault", &[0xCD, 0x0C, 0xCD, 0x0C], 4, "0Ch (stack segment)"), // int 0Ch
        ("general_protection", &[0xCD, 0x0D, 0xCD, 0x0D], 4, "0Dh (general protection)"), // int 0Dh
    ];
    causes
        .into_iter()
        .map(|(name, code, behind, says)| {
            case(&format!("exceptions::{name}"), move || is_told(code, behind, says))
        })
        .chain([
            case("exceptions::in_the_console_itself", ends_without_words),
            case("exceptions::on_another_processor", || is_told_for_others(2)),
            case("exceptions::on_three_others_at_once", || is_told_for_others(4)),
        ])
        .collect()
}

/// A machine that tells a story without end, has begun, and stands still where a processor is at a place in
/// the kernel's code that `wanted` accepts by the bytes before and behind it.
fn stopped_where(
    processors: u32,
    looked_at: u32,
    wanted: fn(&[u8], &[u8]) -> bool,
) -> Result<(QemuMachine, u32), Trouble> {
    let endless = Settings { endless: true, cpus: processors, ..traced(1_000_000) };
    let image = image_of(&packed(BUILT_IN)?, &embedded::machine_code(), &endless, Medium::Disk)?;
    let extra = ["-smp", &processors.to_string(), "-accel", "tcg,thread=single"].map(String::from).into();
    let mut machine = Qemu { extra, ..Qemu::default() }.boot(&image)?;
    machine.wait_for("the first token", |log| !Transcript::parse(log).trace.is_empty())?;
    loop {
        machine.qmp()?.execute("stop", json!({}))?;
        let registers = machine.registers_of(looked_at)?;
        let in_code = NEAR as u32..PROGRAM_CODE.size() - NEAR as u32;
        if registers.cs == PROGRAM_CS && in_code.contains(&registers.eip) {
            let code = machine.memory(PROGRAM_CODE.start + registers.eip - NEAR as u32, 2 * NEAR)?;
            let (before, ahead) = code.split_at(NEAR);
            if wanted(before, ahead) {
                return Ok((machine, registers.eip));
            }
        }
        machine.qmp()?.execute("cont", json!({}))?;
        machine.check_time("a place to break", &[])?;
    }
}

/// Puts the instruction where the machine is about to go on.
fn is_told(code: &[u8], behind: u32, says: &str) -> Result<(), Trouble> {
    let (mut machine, place) = stopped_where(1, 0, multiplies)?;
    machine.overwrite(PROGRAM_CODE.start + place, code)?;
    let expected = format!("unreallm: exception {says} at CS:IP {PROGRAM_CS:04x}:{:04x}", place + behind);
    match judge(&mut machine, &[])? {
        Outcome::Stopped { reason, off: true } if reason == expected => Ok(()),
        outcome => Err(Trouble::Wrong(format!("not '{expected}': {outcome:?}"))),
    }
}

/// All processors but the first come to an instruction that is none. The first one says so of one of them,
/// in whole words.
fn is_told_for_others(processors: u32) -> Result<(), Trouble> {
    let (mut machine, place) = stopped_where(processors, 1, waits)?;
    machine.overwrite(PROGRAM_CODE.start + place, UD0)?;
    let expected = format!(
        "unreallm: exception 06h (invalid opcode) at CS:IP {PROGRAM_CS:04x}:{place:04x} on processor"
    );
    match judge(&mut machine, &[])? {
        Outcome::Stopped { reason, off: true }
            if (2..=processors).any(|processor| reason == format!("{expected} {processor}")) =>
        {
            Ok(())
        }
        outcome => Err(Trouble::Wrong(format!("not '{expected}' and which: {outcome:?}"))),
    }
}

/// Where the words that would tell it fail again, the machine still ends.
fn ends_without_words() -> Result<(), Trouble> {
    let (mut machine, place) = stopped_where(1, 0, is_console)?;
    machine.overwrite(PROGRAM_CODE.start + place, UD2)?;
    let (status, _) = machine.wait_for_end()?;
    ensure(status.code() == Some(EXIT_STOPPED), || format!("exit status {status}"))
}
