//! How long a PC takes from QEMU's start to the first token that the model tells, after the beginning where it has
//! one, and how fast it goes on.
//!
//! `cargo run --release -p unreallm-tests --example first_token [RUNS]`: the median of RUNS boots (9)
//! of each machine and model, with TCG and all that QEMU's processor has.
use std::{env, process::ExitCode};

use machine::{
    Emulator, Error,
    golden::{BUILT_IN, Golden, PUBLISHED, packed},
    qemu::Qemu,
    transcript::Transcript,
};
use model::packed::PackedHeader;
use protocol::settings::Settings;
use unreallm::{compare::machine::memory_mib, embedded, image::Medium};

/// Models, their beginnings, and tokens: of the beginning and of what is told.
const STORIES: [(&str, &str, u32); 3] =
    [(BUILT_IN, "", 256), (PUBLISHED, "", 256), ("smollm2", "The capital of France is", 5 + 16)];

fn main() -> ExitCode {
    let runs = match env::args().nth(1).map_or(Ok(9), |runs| runs.parse()) {
        Ok(runs) if runs > 0 => runs,
        _ => {
            eprintln!("the number of runs must be 1 or more");
            return ExitCode::FAILURE;
        }
    };
    println!("model        machine  first token  slowest   tokens/s   ({runs} runs each, medians)");
    for (model, prompt, steps) in STORIES {
        let settings = Settings { prompt: prompt.into(), steps, exit: true, ..Settings::default() };
        for (name, qemu) in [("q35", Qemu::q35()), ("pc", Qemu::default())] {
            match measure(model, &settings, qemu, runs) {
                Ok(Measured { first, slowest, rate }) => {
                    println!("{model:<12} {name:<8} {first:>9.3} s  {slowest:>5.3} s  {rate:>9.1}");
                }
                Err(Error::Missing { program, hint }) => {
                    println!("{model:<12} {name:<8} skipped: no {program}; {hint}")
                }
                Err(error) => {
                    eprintln!("{error}");
                    return ExitCode::FAILURE;
                }
            }
        }
    }
    ExitCode::SUCCESS
}

struct Measured {
    /// Median seconds to the first token.
    first: f64,
    /// The longest of all runs.
    slowest: f64,
    /// Median tokens a second, by the machine's own clock.
    rate: f64,
}

fn measure(model: &str, settings: &Settings, qemu: Qemu, runs: usize) -> Result<Measured, Error> {
    let packed = packed(model)?;
    let header = PackedHeader::read(&mut &packed[..]).expect("it was packed here");
    let golden = Golden::of_packed(&packed, &embedded::machine_code(), settings, Medium::Disk)?;
    let qemu = Qemu { memory: Some(memory_mib(&header)), cpu: Some("max"), ..qemu };
    // The machine shows the beginning, and what it tells follows; without one, the story's first line is looked for.
    let first_line = golden.text.trim_start().lines().next().unwrap_or_default();
    let beginning = if settings.prompt.is_empty() { first_line } else { &settings.prompt };
    let (mut firsts, mut rates) = (Vec::new(), Vec::new());
    for _ in 0..runs {
        let mut machine = qemu.boot(&golden.image)?;
        let (_, log) = machine.wait_for_end()?;
        let text = Transcript::parse(&log);
        let at = log.windows(beginning.len()).position(|window| window == beginning.as_bytes());
        let first = at.and_then(|at| machine.serial_arrival(at + settings.prompt.len()));
        let (Some(first), Some((_, rate)), true) = (first, text.summary(), text.text.contains(&golden.text))
        else {
            return Err(Error::Answer { asked: format!("a boot of {model}"), answer: text.text });
        };
        firsts.push(first.as_secs_f64());
        rates.push(rate);
    }
    firsts.sort_by(f64::total_cmp);
    rates.sort_by(f64::total_cmp);
    Ok(Measured { first: firsts[runs / 2], slowest: firsts[runs - 1], rate: rates[runs / 2] })
}
