//! The page of `cargo unreal web`: its parts, v86 under Node, and all of it in Chromium.
//!
//! `cargo test -p unreallm-tests --test web -- FILTER` runs those whose name contains FILTER. With
//! `UNREALLM_PICTURES` set to a folder, pictures of the page are left there.
use libtest_mimic::{Arguments, Trial};

mod browser;
#[path = "../boot/case.rs"]
mod case;
mod page;
mod parts;
mod told;
mod troubles;
mod v86;

fn main() {
    let arguments = Arguments::from_args();
    let trials: Vec<Trial> =
        [parts::cases(), v86::cases(), browser::cases(), troubles::cases()].into_iter().flatten().collect();
    libtest_mimic::run(&arguments, trials).exit();
}
