//! The 1356-byte mode: tells with sectorllm's arithmetic, on one processor.
#![no_std]
#![no_main]

use kernel::handover::Handover;
use kernel::session::Session;
use model::sectorllm::Sectorllm;
use pc::ending::OrRefuse;

pc::program!(main);

/// From the loader's handover, which lies at `handover`, to the end of the story.
extern "C" fn main(handover: u32) -> ! {
    // SAFETY: as in the kernel: the loader started us, and we are of its build.
    let handover = unsafe { Handover::take(handover) };
    let Handover { text, weights, context, mut settings, clock, .. } = *handover;
    let weights = weights.sectorllm().or_refuse();
    // Its cache is the first thing on the heap: the loader has printed its place.
    let engine = Sectorllm::new(weights, context).or_refuse();
    Session::new(&text, engine, &clock, &mut settings).run()
}
