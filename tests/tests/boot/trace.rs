//! Host = machine, number by number: the same tokens, and the same CRC over the logits of every
//! forward pass, on every machine.
use libtest_mimic::Trial;
use machine::{
    Emulator,
    golden::{BUILT_IN, Golden, PUBLISHED, traced},
    machines::{self, Emulated},
    outcome::EXIT_TOLD,
    transcript::Transcript,
};
use unreallm::image::Medium;

use crate::case::{Trouble, case, ensure};

/// Tokens on the fast machines.
const TOKENS: u32 = 256;
/// Tokens where only the machine is new, not the arithmetic.
const FEW_TOKENS: u32 = 32;

/// The tests of this file.
pub fn cases() -> Vec<Trial> {
    let mut cases = Vec::new();
    for machine in machines::all() {
        let whole =
            matches!(machine.name, "qemu pc" | "qemu pc i386" | "qemu q35" | "qemu pc i386 486" | "bochs");
        let (models, tokens): (&[&str], u32) =
            if whole { (&[BUILT_IN, PUBLISHED], TOKENS) } else { (&[BUILT_IN], FEW_TOKENS) };
        for &model in models {
            let machine = machine.clone();
            let name = format!("trace::{}_{model}_{tokens}", machine.name.replace(' ', "_"));
            cases.push(case(&name, move || {
                let medium = if machine.floppy { Medium::Floppy } else { Medium::Disk };
                let golden = Golden::new(model, &traced(tokens), medium)?;
                match &machine.emulated {
                    Emulated::Qemu(qemu) => {
                        let status = equals(&mut qemu.boot(&golden.image)?, &golden)?;
                        ensure(status == Some(EXIT_TOLD), || format!("exit code {status:?}"))
                    }
                    // Bochs has no port for an exit status: it is switched off.
                    Emulated::Bochs(bochs) => equals(&mut bochs.boot(&golden.image)?, &golden).map(|_| ()),
                }
            }));
        }
    }
    cases
}

/// Waits for the end, compares, and gives the emulator's exit code.
pub fn equals(machine: &mut impl Emulator, golden: &Golden) -> Result<Option<i32>, Trouble> {
    let (status, log) = machine.wait_for_end()?;
    compare(&Transcript::parse(&log), golden)?;
    Ok(status.code())
}

/// Compares trace and text of a machine with the host's.
pub fn compare(transcript: &Transcript, golden: &Golden) -> Result<(), Trouble> {
    let differs = golden.trace.iter().zip(&transcript.trace).find(|(host, machine)| host != machine);
    ensure(differs.is_none(), || format!("first different step, host and machine: {differs:x?}"))?;
    let (host, machine) = (golden.trace.len(), transcript.trace.len());
    ensure(host == machine, || {
        format!("{host} steps on the host, {machine} on the machine:\n{}", transcript.text)
    })?;
    ensure(host > 0, || "no step at all".into())?;
    ensure(transcript.text.contains(&golden.text), || format!("another text:\n{}", transcript.text))
}
