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
    println!("step's logits equal the host's. Speeds are by each machine's own clock, which Bochs' is not");
    println!(
        "tied to ours; all ran on one host, one after the other. Emulators: {}, {}.\n",
        version("qemu-system-x86_64"),
        version("bochs")
    );
    println!("| machine | boots from | trace | tokens/s |\n| --- | --- | --- | --- |");
    let mut good = true;
    for machine in machines::all() {
        let (trace, rate) = match tried(&machine) {
            Ok((true, rate)) => ("same".to_owned(), rate),
            Ok((false, rate)) => {
                good = false;
                ("**differs**".to_owned(), rate)
            }
            Err(Error::Missing { program, .. }) => (format!("not tried: no {program}"), None),
            Err(error) => {
                good = false;
                eprintln!("{}: {error}", machine.name);
                ("**failed**".to_owned(), None)
            }
        };
        let rate = rate.map_or("–".to_owned(), |rate| format!("{rate:.0}"));
        println!(
            "| {} | {} | {trace} | {rate} |",
            machine.name,
            if machine.floppy { "floppy" } else { "disk" }
        );
    }
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Whether the trace is the host's, and tokens a second.
fn tried(machine: &Machine) -> Result<(bool, Option<f64>), Error> {
    let medium = if machine.floppy { Medium::Floppy } else { Medium::Disk };
    let golden = Golden::new(BUILT_IN, &traced(TOKENS), medium)?;
    let (_, log) = match &machine.emulated {
        Emulated::Qemu(qemu) => qemu.boot(&golden.image)?.wait_for_end()?,
        Emulated::Bochs(bochs) => bochs.boot(&golden.image)?.wait_for_end()?,
    };
    let transcript = Transcript::parse(&log);
    Ok((transcript.trace == golden.trace, transcript.summary().map(|(_, rate)| rate)))
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
