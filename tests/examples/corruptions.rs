//! Flips single bits all over the image and boots each: the machine must tell the right story, or say
//! why not. Never another story with success.
//!
//! `cargo run --release -p unreallm-tests --example corruptions [EACH] [SEED]`: EACH flips (60) in each
//! region.
use std::{
    env,
    process::ExitCode,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use machine::{
    Error,
    corruption::REGIONS,
    flips::{Flip, Tally},
    golden::{BUILT_IN, Golden, traced},
};
use unreallm::image::Medium;

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Whether every flip ended as it may.
fn run() -> Result<bool, Error> {
    let number = |at, default: u64| env::args().nth(at).and_then(|text| text.parse().ok()).unwrap_or(default);
    let (each, seed) = (number(1, 60) as usize, number(2, 1));
    let golden = Golden::new(BUILT_IN, &traced(8), Medium::Disk)?;
    let tallies = Mutex::new([Tally::default(); REGIONS.len()]);
    let (next, wrong) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let work = || -> Result<(), Error> {
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let Some(&region) = REGIONS.get(number / each) else { return Ok(()) };
            let flip = Flip::new(&golden, region, number % each, seed);
            let outcome = flip.boot(&golden)?;
            if !flip.may_end_as(&outcome) {
                wrong.fetch_add(1, Ordering::Relaxed);
                eprintln!("{flip:x?}: {outcome:?}");
            }
            tallies.lock().unwrap_or_else(PoisonError::into_inner)[number / each].count(&outcome);
        }
    };
    let workers = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        let workers: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        workers.into_iter().try_for_each(|worker| worker.join().expect("a worker does not panic"))
    })?;

    println!("| region | flips | right story | reason | dead | another story |");
    println!("| --- | --- | --- | --- | --- | --- |");
    let tallies = tallies.into_inner().unwrap_or_else(PoisonError::into_inner);
    let mut all = Tally::default();
    for (region, &tally) in REGIONS.iter().zip(&tallies) {
        print_row(&format!("{region:?}"), tally);
        all += tally;
    }
    print_row("all", all);
    Ok(wrong.into_inner() == 0)
}

fn print_row(name: &str, tally: Tally) {
    let Tally { told, stopped, dead, silent } = tally;
    println!("| {name} | {} | {told} | {stopped} | {dead} | {silent} |", tally.tried());
}
