//! Tries the image on every machine and writes the table of docs/machines.md.
//!
//! `cargo run --release -p unreallm-tests --example machines > tests/docs/machines.md`
use std::process::{Command, ExitCode};

use machine::{
    Emulator, Error,
    golden::{BUILT_IN, Golden, traced},
    machines::{self, Emulated, Machine},
    transcript::Transcript,
};
use unreallm::image::Medium;

/// Tokens on each machine.
const TOKENS: u32 = 64;

fn main() -> ExitCode {
    println!("# Machines on which the image was booted\n");
    println!("Made by `cargo run --release -p unreallm-tests --example machines`; do not edit.");
    println!("Each told {TOKENS} tokens of {BUILT_IN}; \"same\" means that every token and the CRC of every");
    println!("step's logits equal the host's. {}, {}.\n", version("qemu-system-x86_64"), version("bochs"));
    println!("| machine | boots from | trace |\n| --- | --- | --- |");
    let mut good = true;
    for machine in machines::all() {
        let trace = match tried(&machine) {
            Ok(true) => "same".to_owned(),
            Ok(false) => {
                good = false;
                "**differs**".to_owned()
            }
            Err(Error::Missing { program, .. }) => format!("not tried: no {program}"),
            Err(error) => {
                good = false;
                eprintln!("{}: {error}", machine.name);
                "**failed**".to_owned()
            }
        };
        println!("| {} | {} | {trace} |", machine.name, if machine.floppy { "floppy" } else { "disk" });
    }
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Whether the trace is the host's.
fn tried(machine: &Machine) -> Result<bool, Error> {
    let medium = if machine.floppy { Medium::Floppy } else { Medium::Disk };
    let golden = Golden::new(BUILT_IN, &traced(TOKENS), medium)?;
    let (_, log) = match &machine.emulated {
        Emulated::Qemu(qemu) => qemu.boot(&golden.image)?.wait_for_end()?,
        Emulated::Bochs(bochs) => bochs.boot(&golden.image)?.wait_for_end()?,
    };
    Ok(Transcript::parse(&log).trace == golden.trace)
}

/// The line in which an emulator tells its version.
fn version(program: &str) -> String {
    let flag = if program == "bochs" { "--help" } else { "--version" };
    let Ok(output) = Command::new(program).arg(flag).output() else { return format!("no {program}") };
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text).into_owned();
    let line = text.lines().find(|line| line.contains("mulator ")).unwrap_or(program);
    line.trim().trim_end_matches(')').split(" (").next().unwrap_or(program).to_owned()
}
