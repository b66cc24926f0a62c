//! The kernel: tells with the int8 engine.
#![no_std]
#![no_main]

use kernel::handover::Handover;
use kernel::session::Session;
use kernel::workers::MachineWorkers;
use model::attention::KvCache;
use model::int8::Int8;
use model::workers::Processors;
use pc::ending::OrRefuse;
use pc::println;
use pc::processors::bring_up;

pc::program!(main);

/// From the loader's handover, which lies at `handover`, to the end of the story.
extern "C" fn main(handover: u32) -> ! {
    // SAFETY: the loader started us, by the address in EDX, after it had seen that we are of its build.
    let handover = unsafe { Handover::take(handover) };
    let Handover { text, weights, context, mut settings, cpu, simd, clock, processors, .. } = *handover;
    let model = weights.int8().or_refuse();
    // The first thing on the heap: the loader has printed its place.
    let cache = KvCache::new(&model.shape, context).or_refuse();
    let brought_up = bring_up(settings.cpus as usize, processors.as_ref(), &cpu, &clock);
    if settings.cpus > 1 {
        println!("cpus    {brought_up}");
    }
    let workers = MachineWorkers(&brought_up.workers);
    let processors = Processors { simd, workers: &workers };
    let engine = Int8::on(processors, model, cache).or_refuse();
    Session::new(&text, engine, &clock, &mut settings).run()
}
