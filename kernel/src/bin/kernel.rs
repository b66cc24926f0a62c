//! The kernel: from a model in memory to a story.
#![no_std]
#![no_main]

use kernel::handover::Handover;
use kernel::session::Session;
use kernel::{console, exceptions, power, println, smp, stack_guard};
use model::team::Processors;

/// From the loader's handover, which lies at `handover`, to the end of the story.
#[unsafe(no_mangle)]
extern "C" fn program_main(handover: u32) -> ! {
    exceptions::install().keep();
    stack_guard::arm();
    // SAFETY: the loader started us; both programs come from one build, and the image from one
    // host program.
    let handover = unsafe { Handover::take(handover) };
    console::put(handover.console());
    power::set_power_off(handover.settings.exit);
    let Handover { model, context, settings, cpu, kernel, clock, processors, .. } = handover;
    let assembled = smp::assemble(settings.cpus as usize, processors.as_ref(), cpu, clock);
    if settings.cpus > 1 {
        println!("cpus    {assembled}");
    }
    let processors = Processors { kernel: *kernel, team: &assembled.crew };
    Session::new(model, *context, processors, clock, settings).run()
}

/// The loader has set the consoles up, and [`Handover`] brings them.
#[unsafe(no_mangle)]
extern "C" fn set_up_consoles() {}
