//! Tries the image on every machine and writes the table of docs/machines.md.
//!
//! `cargo run --release -p unreallm-tests --example machines > tests/docs/machines.md`
use std::{
    collections::HashMap,
    process::{Command, ExitCode},
    time::Duration,
};

use indicatif::{ProgressBar, ProgressStyle};
use machine::{
    Emulator, Error,
    browser::node,
    golden::{BUILT_IN, Golden, traced},
    machines::Emulated,
    matrix::{Board, CPUS, DRIVES, Drive, PROCESSORS},
    transcript::Transcript,
};
use protocol::{settings::Settings, trace::TraceRecord};
use rayon::prelude::*;
use serde_json::json;
use tempfile::TempDir;
use unreallm::{
    image::Medium,
    iso,
    models::Folders,
    packing::PackInput,
    web::{folder::Page, images},
};

/// Tokens on each machine.
const TOKENS: u32 = 24;

/// What came of one machine.
enum Told {
    /// The host's trace, by so many processors.
    Same(u32),
    /// There is no such machine.
    Impossible(&'static str),
    /// Anything else, in words.
    Otherwise(String),
}

/// A machine of the matrix.
type Place = (Board, Drive, &'static str, u32);

fn main() -> ExitCode {
    let images = Images::new().unwrap_or_else(|error| panic!("{error}"));
    let places: Vec<Place> = Board::ALL
        .into_iter()
        .flat_map(|board| DRIVES.map(|drive| (board, drive)))
        .flat_map(|(board, drive)| CPUS.map(|cpu| (board, drive, cpu)))
        .flat_map(|(board, drive, cpu)| PROCESSORS.map(|processors| (board, drive, cpu, processors)))
        .collect();
    let style = ProgressStyle::with_template("{bar:40} {pos} of {len} machines, {eta} left  {msg}");
    let bar = ProgressBar::new(places.len() as u64).with_style(style.expect("a template that is right"));
    let told: HashMap<usize, Told> = places
        .par_iter()
        .enumerate()
        .map(|(i, &(board, drive, cpu, processors))| {
            bar.set_message(format!("{} {} {cpu} {processors}", board.name(), drive.name()));
            let told = tried(&images, (board, drive, cpu, processors));
            bar.inc(1);
            (i, told)
        })
        .collect();
    bar.finish_and_clear();
    let told = |place: &Place| &told[&places.iter().position(|other| other == place).expect("tried above")];

    println!("# Machines on which the image was booted\n");
    println!("Made by `cargo run --release -p unreallm-tests --example machines`; do not edit.\n");
    println!(
        "Each told {TOKENS} tokens of {BUILT_IN}, once with 1, once with 2 and once with 4 processors, and was asked to use"
    );
    println!(
        "them all. The figures are the processors it used; every token and the CRC of every step's logits were"
    );
    println!("the host's, or it says what was instead. A CPU without an APIC lists no others.");
    println!("{}, {}, v86 0.5 on Node.\n", version("qemu-system-x86_64"), version("bochs"));
    println!("| machine | boots from | {} |\n| --- | --- |{}", CPUS.join(" | "), " --- |".repeat(CPUS.len()));
    let mut good = true;
    for board in Board::ALL {
        for drive in DRIVES {
            let cells = CPUS.map(|cpu| {
                let cell: Vec<_> =
                    PROCESSORS.iter().map(|&processors| told(&(board, drive, cpu, processors))).collect();
                good &= cell.iter().all(|told| !matches!(told, Told::Otherwise(_)));
                words(&cell)
            });
            println!("| {} | {} | {} |", board.name(), drive.name(), cells.join(" | "));
        }
    }
    let v86 = match v86() {
        Ok(true) => "the same".to_owned(),
        Ok(false) => "**another trace**".to_owned(),
        Err(error) => format!("not tried: {error}"),
    };
    good &= v86 == "the same";
    println!("\nv86, its own CPU, IDE: {v86}.");
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// A cell of the table: what is the same for all is said once.
fn words(cell: &[&Told]) -> String {
    let mut words: Vec<String> = Vec::new();
    for told in cell {
        let word = match told {
            Told::Same(processors) => processors.to_string(),
            Told::Impossible(reason) => (*reason).to_owned(),
            Told::Otherwise(what) => format!("**{what}**"),
        };
        if matches!(told, Told::Same(_)) || words.last() != Some(&word) {
            words.push(word);
        }
    }
    words.join(", ")
}

/// Images by processors and medium, with the host's trace.
struct Images(HashMap<(u32, bool), Golden>);

impl Images {
    fn new() -> Result<Self, Error> {
        let mut images = HashMap::new();
        for cpus in PROCESSORS {
            for (floppy, medium) in [(false, Medium::Disk), (true, Medium::Floppy)] {
                let settings = Settings { cpus, ..traced(TOKENS) };
                images.insert((cpus, floppy), Golden::new(BUILT_IN, &settings, medium)?);
            }
        }
        Ok(Self(images))
    }
}

fn tried(images: &Images, (board, drive, cpu, processors): Place) -> Told {
    let emulated = match board.machine(drive, cpu, processors) {
        Ok(emulated) => emulated,
        Err(reason) => return Told::Impossible(reason),
    };
    let golden = &images.0[&(processors, drive == Drive::Floppy)];
    let mut cd = Vec::new();
    let image = if drive == Drive::Cd {
        match iso::write(golden.image.as_slice(), golden.image.len() as u64, &mut cd) {
            Ok(_) => &cd,
            Err(error) => return Told::Otherwise(format!("no CD: {error}")),
        }
    } else {
        &golden.image
    };
    let log = match &emulated {
        Emulated::Qemu(qemu) => qemu.boot(image).and_then(|mut machine| machine.wait_for_end()),
        Emulated::Bochs(bochs) => bochs.boot(image).and_then(|mut machine| machine.wait_for_end()),
    };
    let transcript = match log {
        Ok((_, log)) => Transcript::parse(&log),
        Err(Error::Missing { program, .. }) => return Told::Otherwise(format!("no {program}")),
        Err(error) => {
            eprintln!("{} {} {cpu} {processors}: {error}", board.name(), drive.name());
            return Told::Otherwise("failed".to_owned());
        }
    };
    if transcript.trace != golden.trace {
        return Told::Otherwise(transcript.reason().unwrap_or("another trace").to_owned());
    }
    // "cpus    2 of 4: ..." is said where more than one was asked for.
    let used = transcript.text.lines().find_map(|line| line.strip_prefix("cpus")?.split_whitespace().next());
    Told::Same(used.and_then(|used| used.trim_end_matches(':').parse().ok()).unwrap_or(1))
}

/// Whether v86 tells the host's trace, under Node.
fn v86() -> Result<bool, Box<dyn std::error::Error>> {
    let folder = TempDir::with_prefix("unreallm-page-")?;
    let mut page = Page::begin(&folder.path().join("page"), None, |line| eprintln!("{line}"))?;
    let folders = Folders::of_user();
    let mut input = PackInput::open(&folders.find(BUILT_IN)?, None, None, &folders)?;
    let model = images::write(&mut input, page.path())?;
    page.add(model)?;
    let place = folder.path().join("page");
    page.put()?;
    let golden = Golden::new(BUILT_IN, &traced(TOKENS), Medium::Disk)?;
    let shown =
        node::boot(&place, BUILT_IN, &json!({ "steps": TOKENS.to_string() }), Duration::from_secs(120))?;
    let (trace, _) = TraceRecord::split(&shown.serial);
    Ok(trace == golden.trace)
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
