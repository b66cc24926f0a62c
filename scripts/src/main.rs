//! The host program behind `cargo unreal`.
use std::process::ExitCode;

use clap::Parser;
use unreallm::{
    cli::{Cli, Command},
    commands::{bench, compare, fetch, image, inspect, run, synth, tokenize, web},
    emulator::Outcome,
};

/// An error of this program.
const FAILED: u8 = 1;
/// The machine stopped with an error.
const REFUSED: u8 = 3;
/// The emulator failed, or was ended too early.
const EMULATOR_DIED: u8 = 4;

fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Run(args) => run::run(&args).map(exit_code),
        Command::Image(args) => image::image(&args).map(|()| ExitCode::SUCCESS),
        Command::Fetch(args) => fetch::fetch(&args).map(|()| ExitCode::SUCCESS),
        Command::Compare(args) => compare::compare(&args).map(|()| ExitCode::SUCCESS),
        Command::Bench(args) => bench::bench(&args).map(|()| ExitCode::SUCCESS),
        Command::Synth(args) => synth::synth(&args).map(|()| ExitCode::SUCCESS),
        Command::Web(args) => web::web(&args).map(|()| ExitCode::SUCCESS),
        Command::Inspect(args) => inspect::inspect(&args).map(|()| ExitCode::SUCCESS),
        Command::Tokenize(args) => tokenize::tokenize(&args).map(|()| ExitCode::SUCCESS),
    };
    done.unwrap_or_else(|error| {
        eprintln!("unreallm: {error}");
        FAILED.into()
    })
}

/// What `cli::EXIT_CODES` tells the user.
fn exit_code(outcome: Outcome) -> ExitCode {
    match outcome {
        Outcome::Told | Outcome::Closed => ExitCode::SUCCESS,
        Outcome::Refused => REFUSED.into(),
        Outcome::Died(_) | Outcome::TimedOut | Outcome::Cut => EMULATOR_DIED.into(),
    }
}
