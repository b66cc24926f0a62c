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
    time::Duration,
};

use machine::{
    Error,
    corruption::{REGIONS, Random, Region},
    golden::{BUILT_IN, Golden, traced},
    outcome::{Outcome, judge},
    qemu::Qemu,
};
use unreallm::image::Medium;

/// What came of the flips in one region.
#[derive(Clone, Copy, Default)]
struct Tally {
    told: usize,
    stopped: usize,
    dead: usize,
    silent: usize,
    unnoticed: usize,
}

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

fn run() -> Result<bool, Error> {
    let number = |at, default: u64| env::args().nth(at).and_then(|text| text.parse().ok()).unwrap_or(default);
    let (each, seed) = (number(1, 60) as usize, number(2, 1));
    let golden = Golden::new(BUILT_IN, &traced(8), Medium::Disk)?;
    let tallies = Mutex::new([Tally::default(); REGIONS.len()]);
    let next = AtomicUsize::new(0);
    let work = || -> Result<(), Error> {
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let Some(&region) = REGIONS.get(number / each) else { return Ok(()) };
            let mut image = golden.image.clone();
            let mut random = Random::new(seed << 32 | number as u64);
            let (byte, bit) = random.flip(&mut image, region.bytes(&golden.image, golden.model_bytes));
            let qemu = Qemu { limit: Duration::from_secs(5), ..Qemu::default() };
            let outcome = judge(&mut qemu.boot(&image)?, &golden.trace)?;
            let mut tallies = tallies.lock().unwrap_or_else(PoisonError::into_inner);
            count(&mut tallies[number / each], region, &outcome, || {
                eprintln!("{region:?} byte {byte:#x} bit {bit}: {outcome:?}")
            });
        }
    };
    let workers = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        let workers: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        workers.into_iter().try_for_each(|worker| worker.join().expect("a worker does not panic"))
    })?;

    println!("region          tried  right story  reason  dead  SILENT  UNNOTICED");
    let tallies = tallies.into_inner().unwrap_or_else(PoisonError::into_inner);
    for (region, t) in REGIONS.iter().zip(&tallies) {
        let name = format!("{region:?}");
        println!(
            "{name:<15} {each:>5} {:>12} {:>7} {:>5} {:>7} {:>10}",
            t.told, t.stopped, t.dead, t.silent, t.unnoticed
        );
    }
    Ok(tallies.iter().all(|tally| tally.silent == 0 && tally.unnoticed == 0))
}

/// In a region with a CRC, a flip that changes nothing was not noticed: the next one might matter.
fn count(tally: &mut Tally, region: Region, outcome: &Outcome, report: impl FnOnce()) {
    match outcome {
        Outcome::Told => {
            tally.told += 1;
            if region.checked() {
                tally.unnoticed += 1;
                report();
            }
        }
        Outcome::Stopped { .. } | Outcome::Letter(_) => tally.stopped += 1,
        Outcome::Dead(_) => {
            tally.dead += 1;
            if region.checked() {
                report();
            }
        }
        Outcome::Silent(_) => {
            tally.silent += 1;
            report();
        }
    }
}
