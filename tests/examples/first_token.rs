//! How long a PC takes from QEMU's start to the story's first token, and how fast it goes on.
//!
//! `cargo run --release -p unreallm-tests --example first_token [RUNS]`: the median of RUNS boots (9)
//! of each machine and model, with TCG and QEMU's default processor.
use std::{env, process::ExitCode};

use machine::{
    Emulator, Error,
    golden::{BUILT_IN, Golden, PUBLISHED, traced},
    qemu::Qemu,
    transcript::Transcript,
};
use unreallm::image::Medium;

/// The bytes with which the first trace record begins: sent right after the first forward pass.
const FIRST_RECORD: &[u8] = b"~ 0 ";

fn main() -> ExitCode {
    let runs = match env::args().nth(1).map_or(Ok(9), |runs| runs.parse()) {
        Ok(runs) if runs > 0 => runs,
        _ => {
            eprintln!("the number of runs must be 1 or more");
            return ExitCode::FAILURE;
        }
    };
    println!("model        machine  first token  slowest   tokens/s   ({runs} runs each, medians)");
    for model in [BUILT_IN, PUBLISHED] {
        for (name, qemu) in [("q35", Qemu::q35()), ("pc", Qemu::default())] {
            match measure(model, &qemu, runs) {
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

fn measure(model: &str, qemu: &Qemu, runs: usize) -> Result<Measured, Error> {
    let golden = Golden::new(model, &traced(256), Medium::Disk)?;
    let (mut firsts, mut rates) = (Vec::new(), Vec::new());
    for _ in 0..runs {
        let mut machine = qemu.boot(&golden.image)?;
        let (_, log) = machine.wait_for_end()?;
        let transcript = Transcript::parse(&log);
        let first = log.windows(FIRST_RECORD.len()).position(|window| window == FIRST_RECORD);
        let (Some(first), Some((_, rate)), true) = (
            first.and_then(|at| machine.serial_arrival(at)),
            transcript.summary(),
            transcript.trace == golden.trace,
        ) else {
            return Err(Error::Answer { asked: format!("a boot of {model}"), answer: transcript.text });
        };
        firsts.push(first.as_secs_f64());
        rates.push(rate);
    }
    firsts.sort_by(f64::total_cmp);
    rates.sort_by(f64::total_cmp);
    Ok(Measured { first: firsts[runs / 2], slowest: firsts[runs - 1], rate: rates[runs / 2] })
}
