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
    // SAFETY: as in the kernel: the loader started us, and all programs come from one build.
    let Handover { packed, context, settings, clock, .. } = unsafe { Handover::take(handover) };
    // Its cache is the first thing on the heap: the loader has printed its place.
    let weights = packed.sectorllm().expect("it is for this program");
    let engine = Sectorllm::new(weights, *context).or_refuse();
    let text = packed.text().expect("the loader checked it");
    Session::new(&text, engine, clock, settings).run()
}
