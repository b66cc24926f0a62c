//! Whole-machine tests: boot disk images and watch what the machine does.
//!
//! `cargo test -p unreallm-tests --test boot -- FILTER` runs those whose name contains FILTER.
use libtest_mimic::{Arguments, Trial};

mod case;
mod drivers;

fn main() {
    let arguments = Arguments::from_args();
    let trials: Vec<Trial> = [drivers::cases()].into_iter().flatten().collect();
    libtest_mimic::run(&arguments, trials).exit();
}
