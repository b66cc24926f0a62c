//! The benchmark: takes the kernel's place on the disk, and measures what the kernel does with the same
//! libraries. The host reads the report from the serial port.
#![no_std]
#![no_main]

extern crate alloc;

use alloc::boxed::Box;
use core::cell::Cell;
use core::fmt::Write;
use kernel::handover::Handover;
use kernel::input::Input;
use kernel::story::{self, Pace};
use kernel::workers::MachineWorkers;
use model::allocation::OutOfMemory;
use model::attention::KvCache;
use model::engine::{Engine, EngineError};
use model::generate::{Generator, Options};
use model::int8::Int8;
use model::load_only;
use model::packed::{Model, Text};
use model::phase::{Phase, Stopwatch};
use model::sampler::Sampler;
use model::vocabulary::SpecialTokens;
use model::workers::Processors;
use pc::clock::{Clock, Moment};
use pc::ending::{self, OrRefuse};
use pc::power::Outcome;
use pc::processors::bring_up;
use pc::{console, print, println};
use protocol::benchmark::{Measured, Report};
use protocol::settings::Settings;

/// Passes over the weights; the fastest counts.
const LOAD_ONLY_PASSES: u32 = 7;

pc::program!(main);

/// From the loader's handover to the report.
extern "C" fn main(handover: u32) -> ! {
    // SAFETY: as in the kernel: the loader started us, and we are of its build.
    let handover = unsafe { Handover::take(handover) };
    ending::set_power_off(true);
    let Handover { text, weights, context, settings, cpu, simd, clock, load, processors, .. } = *handover;
    let model = weights.int8().or_refuse();
    let brought_up = bring_up(settings.cpus as usize, processors.as_ref(), &cpu, &clock);
    println!("cpus    {brought_up}");
    let workers = MachineWorkers(&brought_up.workers);
    let processors = Processors { simd, workers: &workers };
    let bench = Bench { model, text, context, processors, clock: &clock, settings };
    let report = bench.run(load).or_refuse();
    console::with(|console| {
        console.serial_only(|console| {
            let _ = write!(console, "{report}");
        });
    });
    ending::finish(Outcome::Success)
}

/// What is measured.
struct Bench<'m> {
    model: Model<'m>,
    text: Text<'m>,
    context: usize,
    processors: Processors<'m>,
    clock: &'m Clock,
    settings: Settings,
}

impl Bench<'_> {
    fn run(&self, load: Measured) -> Result<Report, EngineError> {
        Ok(Report {
            load,
            story: self.story()?,
            prompt: self.prompt()?,
            load_only: self.load_only(),
            phases: self.phases()?,
        })
    }

    fn cache(&self) -> Result<KvCache, OutOfMemory> {
        KvCache::new(&self.text.shape, self.context)
    }

    fn micros_of(&self, work: impl FnOnce()) -> u64 {
        let start = self.clock.now();
        work();
        self.clock.micros_since(start)
    }

    fn sampler(&self) -> Result<Sampler<'_>, OutOfMemory> {
        let Settings { temperature, topp, seed, .. } = self.settings;
        Sampler::new(self.text.tables, self.text.shape.vocab_size, temperature, topp, seed)
    }

    /// A story as the kernel tells it.
    fn story(&self) -> Result<Measured, EngineError> {
        let mut engine = Int8::on(self.processors, self.model.clone(), self.cache()?)?;
        let options = Options { steps: self.settings.steps as usize, ..Options::default() };
        let mut generator =
            Generator::new(&mut engine, &self.text.vocabulary, self.sampler()?, &[], options)?;
        let mut input = Input::new(self.clock);
        let status = |pace: Pace| {
            console::with(|console| console.set_status(format_args!(" {}  {pace}", self.text.name)));
        };
        let pace = story::tell(&mut generator, self.clock, &mut input, &status);
        Ok(Measured { count: pace.tokens, micros: pace.micros })
    }

    /// The time from the prompt's first token to the first of the story.
    fn prompt(&self) -> Result<Measured, EngineError> {
        let mut tokens =
            self.text.vocabulary.encode(&self.settings.prompt, SpecialTokens::AreText).or_refuse();
        tokens.truncate(self.context - 1);
        let mut engine = Int8::on(self.processors, self.model.clone(), self.cache()?)?;
        let options = Options::default();
        let mut generator =
            Generator::new(&mut engine, &self.text.vocabulary, self.sampler()?, &tokens, options)?;
        let (count, start) = (tokens.len() as u64 + 1, self.clock.now());
        for _ in 0..count {
            generator.step();
        }
        Ok(Measured { count, micros: self.clock.micros_since(start) })
    }

    /// The fastest pass over the weights that only loads them.
    fn load_only(&self) -> Measured {
        let model = &self.model;
        let pass = || {
            self.micros_of(|| {
                core::hint::black_box(load_only::pass(model, self.processors.simd));
            })
        };
        let micros = (0..LOAD_ONLY_PASSES).map(|_| pass()).min().unwrap_or_default();
        Measured { count: load_only::weight_bytes(model), micros }
    }

    /// Another story of as many tokens, whatever ends it, with a watch on each phase.
    fn phases(&self) -> Result<[Measured; Phase::ALL.len()], EngineError> {
        let steps = (self.settings.steps as usize).min(self.context);
        let laps = Laps::new(self.clock);
        let mut engine = Box::new(Int8::timed(self.processors, self.model.clone(), self.cache()?, &laps)?);
        let (mut sampler, mut token) = (self.sampler()?, self.text.vocabulary.start().unwrap_or_default());
        laps.begin();
        for pos in 0..steps {
            let next = sampler.sample(engine.forward(token, pos));
            laps.lap(Phase::Sampling);
            let piece = self.text.vocabulary.decode(token, next, false);
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
