//! Whole-machine tests: boot disk images and watch what the machine does.
//!
//! `cargo test -p unreallm-tests --test boot -- FILTER` runs those whose name contains FILTER.
use libtest_mimic::{Arguments, Trial};

mod bad_sectors;
mod bios;
mod case;
mod cut_off;
mod dma;
mod drivers;
mod exceptions;
mod flips;
mod gguf;
mod lacking;
mod letters;
mod media;
mod memory;
mod other_image;
mod processors;
mod refusals;
mod settings;
mod shapes;
mod smollm2;
mod speed;
mod stack;
mod story;
mod talk;
mod trace;
mod unreal;
mod window;

fn main() {
    let arguments = Arguments::from_args();
    let trials: Vec<Trial> = [
        dma::cases(),
        drivers::cases(),
        story::cases(),
        trace::cases(),
        settings::cases(),
        processors::cases(),
        unreal::cases(),
        window::cases(),
        refusals::cases(),
        bios::cases(),
        bad_sectors::cases(),
        exceptions::cases(),
        lacking::cases(),
        letters::cases(),
        flips::cases(),
        memory::cases(),
        cut_off::cases(),
        shapes::cases(),
        smollm2::cases(),
        gguf::cases(),
        speed::cases(),
        other_image::cases(),
        media::cases(),
        talk::cases(),
        stack::cases(),
    ]
    .into_iter()
    .flatten()
    .collect();
    libtest_mimic::run(&arguments, trials).exit();
}
