//! The kernel: from a model in memory to a story.
#![no_std]
#![no_main]

use kernel::handover::Handover;
use kernel::power::{self, Outcome};
use kernel::refusal::OrRefuse;
use kernel::{console, exceptions, println, smp, stack_guard, story};
use model::encoder::Encoder;
use model::engine::Engine;
use model::generate::{Generator, Options};
use model::int8::Int8;
use model::sampler::Sampler;
use model::sector::Sector;
use model::settings::EngineKind;
use model::team::Processors;

/// From the loader's handover, which lies at `handover`, to the end of the story.
#[unsafe(no_mangle)]
extern "C" fn program_main(handover: u32) -> ! {
    exceptions::install();
    stack_guard::arm();
    // SAFETY: the loader started us; both programs come from one build, and the image from one
    // host program.
    let mut handover = unsafe { Handover::take(handover) };
    console::put(handover.console());
    power::set_power_off(handover.settings.exit);
    tell_story(&handover);
    power::finish(Outcome::Success)
}

/// Tells the story that the boot settings ask for.
fn tell_story(Handover { model, context, settings, cpu, clock, .. }: &Handover) {
    let assembled = smp::assemble(settings.cpus as usize, cpu, clock);
    if settings.cpus > 1 {
        println!("cpus    {assembled}");
    }
    let processors = Processors { kernel: cpu.kernel(), team: &assembled.crew };
    let (mut int8, mut sector);
    let engine: &mut dyn Engine = match settings.engine {
        EngineKind::Int8 => {
            int8 = Int8::on(processors, model, *context).or_refuse();
            &mut int8
        }
        EngineKind::Sector => {
            sector = Sector::new(model, *context).or_refuse();
            &mut sector
        }
    };
    let prompt = Encoder::new(&model.tokenizer).or_refuse().encode(&settings.prompt).or_refuse();
    let sampler = Sampler::new(&model.tables, settings.temperature, settings.topp, settings.seed);
    let options =
        Options { steps: settings.steps as usize, trace: settings.trace, raw_bytes: settings.raw_bytes };
    story::tell(Generator::new(engine, &model.tokenizer, sampler, &prompt, options), clock);
}
