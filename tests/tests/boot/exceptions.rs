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
const UD2: [u8; 2] = [0x0F, 0x0B];
const UD0: [u8; 2] = [0x0F, 0xFF];
/// Bytes of code that are looked at where the machine stands.
const AHEAD: usize = 16;

/// Whether it is about to put a byte out at a port that DX names: so does the serial port's driver for
/// each byte, and the screen's for the cursor.
fn is_console(code: &[u8]) -> bool {
    const OUT: u8 = 0xEE;
    code.contains(&OUT)
}

/// Whether it is about to multiply registers (IMUL): so does the engine, and nothing that is needed for
/// the last words.
fn multiplies(code: &[u8]) -> bool {
    const IMUL: [u8; 2] = [0x0F, 0xAF];
    code.windows(IMUL.len()).any(|window| window == IMUL)
}

/// The tests of this file.
pub fn cases() -> Vec<Trial> {
    // An instruction that raises it, how far behind its start the CPU says it was, and the sentence.
    // Unlike Bochs, QEMU checks no limits, so the last two are called like an interrupt: what is told
    // apart there is the IRQ with the same vector, which is not in service. `unreal` has a real 0Dh.
    let causes: [(&str, [u8; 2], u32, &str); 5] = [
        ("divide_error", [0xD4, 0x00], 0, "00h (divide error)"), // aam 0
        ("invalid_opcode", UD0, 0, "06h (invalid opcode)"),
        ("failed_check", UD2, 0, "06h (a check of unreallm's own code failed)"),
        ("stack_fault", [0xCD, 0x0C], 2, "0Ch (stack segment)"), // int 0Ch
        ("general_protection", [0xCD, 0x0D], 2, "0Dh (general protection)"), // int 0Dh
    ];
    causes
        .into_iter()
        .map(|(name, code, behind, says)| {
            case(&format!("exceptions::{name}"), move || is_told(code, behind, says))
        })
        .chain([case("exceptions::in_the_console_itself", ends_without_words)])
        .collect()
}

/// A machine that tells a story without end, has begun, and stands still at a place in the kernel's
/// code that `wanted` accepts by its next bytes.
fn stopped_where(wanted: fn(&[u8]) -> bool) -> Result<(QemuMachine, u32), Trouble> {
    let endless = Settings { endless: true, ..traced(0) };
    let image = image_of(&packed(BUILT_IN)?, &embedded::machine_code(), &endless, Medium::Disk)?;
    let mut machine = Qemu::default().boot(&image)?;
    machine.wait_for("the first token", |log| !Transcript::parse(log).trace.is_empty())?;
    loop {
        machine.qmp()?.execute("stop", json!({}))?;
        let registers = machine.registers()?;
        if registers.cs == PROGRAM_CS && registers.eip < PROGRAM_CODE.size() - AHEAD as u32 {
            let code = machine.memory(PROGRAM_CODE.start + registers.eip, AHEAD)?;
            if wanted(&code) {
                return Ok((machine, registers.eip));
            }
        }
        machine.qmp()?.execute("cont", json!({}))?;
        machine.check_time("a place to break", &[])?;
    }
}

/// Puts the instruction where the machine is about to go on.
fn is_told(code: [u8; 2], behind: u32, says: &str) -> Result<(), Trouble> {
    let (mut machine, place) = stopped_where(multiplies)?;
    machine.overwrite(PROGRAM_CODE.start + place, &code)?;
    let expected = format!("unreallm: exception {says} at CS:IP {PROGRAM_CS:04x}:{:04x}", place + behind);
    match judge(&mut machine, &[])? {
        Outcome::Stopped { reason, off: true } if reason == expected => Ok(()),
        outcome => Err(Trouble::Wrong(format!("not '{expected}': {outcome:?}"))),
    }
}

/// Where the words that would tell it fail again, the machine still ends.
fn ends_without_words() -> Result<(), Trouble> {
    let (mut machine, place) = stopped_where(is_console)?;
    machine.overwrite(PROGRAM_CODE.start + place, &UD2)?;
    let (status, _) = machine.wait_for_end()?;
    ensure(status.code() == Some(EXIT_STOPPED), || format!("exit status {status}"))
}
