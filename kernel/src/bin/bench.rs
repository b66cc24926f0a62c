//! The benchmark: takes the kernel's place on the disk, and measures what the kernel does with the same
//! libraries. The host reads the report from the serial port.
#![no_std]
#![no_main]

extern crate alloc;

use alloc::boxed::Box;
use core::cell::Cell;
use core::fmt::Write;
use kernel::clock::{Clock, Moment};
use kernel::handover::Handover;
use kernel::input::Input;
use kernel::power::{self, Outcome};
use kernel::refusal::OrRefuse;
use kernel::story::{self, Pace};
use kernel::{console, exceptions, print, println, smp, stack_guard};
use model::encoder::Encoder;
use model::engine::{Engine, EngineError};
use model::floor;
use model::generate::{Generator, Options};
use model::int8::Int8;
use model::measurement::{Measured, Phase, Report, Stopwatch};
use model::packed::Model;
use model::sampler::Sampler;
use model::settings::Settings;
use model::team::Processors;
use model::tokenizer::BOS;

/// Passes over the weights; the fastest counts.
const FLOOR_PASSES: u32 = 7;

#[unsafe(no_mangle)]
extern "C" fn program_main(handover: u32) -> ! {
    exceptions::install().keep();
    stack_guard::arm();
    // SAFETY: as in the kernel: the loader started us, and all programs come from one build.
    let handover = unsafe { Handover::take(handover) };
    console::put(handover.console());
    power::set_power_off(true);
    let Handover { model, context, settings, cpu, kernel, clock, load, processors, .. } = handover;
    let assembled = smp::assemble(settings.cpus as usize, processors.as_ref(), cpu, clock);
    println!("cpus    {assembled}");
    let processors = Processors { kernel: *kernel, team: &assembled.crew };
    let bench = Bench { model, context: *context, processors, clock, settings };
    let report = bench.run(*load).or_refuse();
    console::with(|console| {
        console.serial_only(|console| {
            let _ = write!(console, "{report}");
        });
    });
    power::finish(Outcome::Success)
}

/// The loader has set the consoles up, and [`Handover`] brings them.
#[unsafe(no_mangle)]
extern "C" fn set_up_consoles() {}

/// What is measured.
struct Bench<'m> {
    model: &'m Model,
    context: usize,
    processors: Processors<'m>,
    clock: &'m Clock,
    settings: &'m Settings,
}

impl Bench<'_> {
    fn run(&self, load: Measured) -> Result<Report, EngineError> {
        Ok(Report {
            load,
            story: self.story()?,
            prompt: self.prompt()?,
            floor: self.floor(),
            phases: self.phases()?,
        })
    }

    fn micros_of(&self, work: impl FnOnce()) -> u64 {
        let start = self.clock.now();
        work();
        self.clock.micros_since(start)
    }

    fn sampler(&self) -> Sampler<'_> {
        let Settings { temperature, topp, seed, .. } = *self.settings;
        Sampler::new(&self.model.tables, temperature, topp, seed)
    }

    /// A story as the kernel tells it.
    fn story(&self) -> Result<Measured, EngineError> {
        let mut engine = Int8::on(self.processors, self.model, self.context)?;
        let options = Options { steps: self.settings.steps as usize, ..Options::default() };
        let mut generator = Generator::new(&mut engine, &self.model.tokenizer, self.sampler(), &[], options);
        let mut input = Input::new(self.clock);
        let status = |pace: Pace| {
            console::with(|console| console.set_status(format_args!(" {}  {pace}", self.model.name)));
        };
        let pace = story::tell(&mut generator, self.clock, &mut input, &status)?;
        Ok(Measured { count: pace.tokens, micros: pace.micros })
    }

    /// The time from the prompt's first token to the first of the story.
    fn prompt(&self) -> Result<Measured, EngineError> {
        let encoder = Encoder::new(&self.model.tokenizer).or_refuse();
        let mut tokens = encoder.encode(&self.settings.prompt).or_refuse();
        tokens.truncate(self.context - 1);
        let mut engine = Int8::on(self.processors, self.model, self.context)?;
        let options = Options::default();
        let mut generator =
            Generator::new(&mut engine, &self.model.tokenizer, self.sampler(), &tokens, options);
        let (count, start) = (tokens.len() as u64 + 1, self.clock.now());
        for _ in 0..count {
            generator.step()?;
        }
        Ok(Measured { count, micros: self.clock.micros_since(start) })
    }

    /// The fastest pass over the weights that only loads them.
    fn floor(&self) -> Measured {
        let pass = || {
            self.micros_of(|| {
                core::hint::black_box(floor::pass(self.model, self.processors.kernel));
            })
        };
        let micros = (0..FLOOR_PASSES).map(|_| pass()).min().unwrap_or_default();
        Measured { count: floor::weight_bytes(self.model), micros }
    }

    /// Another story of as many tokens, whatever ends it, with a watch on each phase.
    fn phases(&self) -> Result<[Measured; Phase::ALL.len()], EngineError> {
        let steps = (self.settings.steps as usize).min(self.context);
        let laps = Laps::new(self.clock);
        let mut engine = Box::new(Int8::timed(self.processors, self.model, self.context, &laps)?);
        let (mut sampler, mut token) = (self.sampler(), BOS);
        laps.begin();
        for pos in 0..steps {
            let next = sampler.sample(engine.forward(token, pos)?)?;
            laps.lap(Phase::Sampling);
            let piece = self.model.tokenizer.decode(token, next, false);
            console::with(|console| console.write_bytes(piece.bytes()));
            laps.lap(Phase::Printing);
            token = next;
        }
        print!("\n");
        Ok(Phase::ALL
            .map(|phase| Measured { count: steps as u64, micros: laps.nanos[phase as usize].get() / 1000 }))
    }
}

/// The time of each phase.
struct Laps<'c> {
    clock: &'c Clock,
    last: Cell<Moment>,
    nanos: [Cell<u64>; Phase::ALL.len()],
}

impl<'c> Laps<'c> {
    fn new(clock: &'c Clock) -> Self {
        Self { clock, last: Cell::new(clock.now()), nanos: [const { Cell::new(0) }; Phase::ALL.len()] }
    }

    /// Nothing that was before counts.
    fn begin(&self) {
        self.last.set(self.clock.now());
    }
}

impl Stopwatch for Laps<'_> {
    fn lap(&self, phase: Phase) {
        let now = self.clock.now();
        let cell = &self.nanos[phase as usize];
        cell.set(cell.get() + self.clock.nanos_between(self.last.get(), now));
        self.last.set(now);
    }
}
