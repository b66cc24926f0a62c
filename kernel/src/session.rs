//! A session: stories, and between them the prompt.
use crate::clock::Clock;
use crate::input::Input;
use crate::power::{self, Outcome};
use crate::prompt::command::{self, Help, Request};
use crate::prompt::editor::Editor;
use crate::refusal::OrRefuse;
use crate::story::{self, Pace};
use crate::{console, heap, print, println};
use alloc::boxed::Box;
use alloc::string::String;
use core::fmt::{self, Display};
use model::encoder::{EncodeError, Encoder};
use model::engine::{Engine, EngineError};
use model::generate::{Generator, Options};
use model::int8::Int8;
use model::packed::Model;
use model::sampler::Sampler;
use model::sector::Sector;
use model::settings::{Decimal, EngineKind, Settings};
use model::team::Processors;

/// What stories are told with.
pub struct Session<'m> {
    model: &'m Model,
    context: usize,
    processors: Processors<'m>,
    clock: &'m Clock,
    settings: &'m mut Settings,
    engine: Box<dyn Engine + 'm>,
    encoder: Encoder<'m>,
    input: Input<'m>,
    editor: Editor,
    stories: u32,
    /// The last story.
    last: Pace,
    /// All stories together.
    total: Pace,
}

/// Why a story was not told, or not to its end.
pub enum StoryError {
    /// Its beginning has characters that the model cannot read.
    Encode(EncodeError),
    /// The engine failed, or the beginning is longer than the context.
    Engine(EngineError),
}

impl Display for StoryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Encode(error) => error.fmt(f),
            Self::Engine(error) => error.fmt(f),
        }
    }
}

impl<'m> Session<'m> {
    /// A session with an engine as the settings ask for. `context`: positions that there is memory
    /// for.
    pub fn new(
        model: &'m Model,
        context: usize,
        processors: Processors<'m>,
        clock: &'m Clock,
        settings: &'m mut Settings,
    ) -> Self {
        Self {
            model,
            context,
            processors,
            clock,
            engine: engine(settings.engine, model, context, processors).or_refuse(),
            encoder: Encoder::new(&model.tokenizer).or_refuse(),
            settings,
            input: Input::new(clock),
            editor: Editor::new(),
            stories: 0,
            last: Pace::default(),
            total: Pace::default(),
        }
    }

    /// The first story; then what the user wants, for as long as there is power.
    pub fn run(&mut self) -> ! {
        println!();
        if self.settings.exit || !self.settings.interactive {
            self.tell().or_refuse();
        }
        if self.settings.exit {
            power::finish(Outcome::Success);
        }
        println!("Type the beginning of a story, or /help.");
        loop {
            let line = self.ask();
            match command::parse(&line) {
                Ok(request) => self.answer(request),
                Err(error) => println!("{error}"),
            }
        }
    }

    /// Shows the prompt and waits for a line.
    fn ask(&mut self) -> String {
        let context = self.engine.context();
        show_status(&self.model.name, self.settings.engine, context, self.last, "/help");
        let mut out = String::new();
        self.editor.begin(&mut out);
        loop {
            print!("{out}");
            out.clear();
            match self.editor.press(self.input.wait_for_key(), &mut out) {
                None => {}
                Some(Ok(line)) => {
                    print!("{out}");
                    return line;
                }
                Some(Err(too_long)) => {
                    println!("{out}{too_long}");
                    out.clear();
                    self.editor.begin(&mut out);
                }
            }
        }
    }

    fn answer(&mut self, request: Request) {
        match request {
            Request::Help => print!("{Help}"),
            Request::Story(beginning) => {
                self.settings.prompt = beginning.into();
                self.tell_or_say_why_not();
            }
            Request::Again => {
                self.settings.seed = self.settings.seed.wrapping_add(1);
                self.tell_or_say_why_not();
            }
            Request::Set { key, value } => {
                self.set(key, value);
                self.show_settings();
            }
            Request::Show => self.show_settings(),
            Request::Stats => self.show_stats(),
            Request::Reboot => power::reboot(),
            Request::Off => power::off(),
        }
    }

    /// Changes a setting, and says why not where that cannot be.
    fn set(&mut self, key: &str, value: &str) {
        let before = self.settings.engine;
        if let Err(wanted) = self.settings.set_story(key, value) {
            return println!("The {key} must be {wanted}, not '{value}'.");
        }
        if self.settings.engine != before {
            match engine(self.settings.engine, self.model, self.context, self.processors) {
                Ok(engine) => self.engine = engine,
                Err(error) => {
                    self.settings.engine = before;
                    println!("No: {error}.");
                }
            }
        }
    }

    fn tell_or_say_why_not(&mut self) {
        if let Err(error) = self.tell() {
            println!("No story: {error}.");
        }
    }

    /// Tells a story by the settings. The cache is written anew from position 0 on.
    fn tell(&mut self) -> Result<(), StoryError> {
        let Settings { temperature, topp, seed, steps, trace, endless, raw_bytes, .. } = *self.settings;
        let prompt = self.encoder.encode(&self.settings.prompt).map_err(StoryError::Encode)?;
        let context = self.engine.context();
        let model = self.model;
        let sampler = Sampler::new(&model.tables, temperature, topp, seed);
        let options = Options { steps: steps as usize, trace, endless, raw_bytes };
        let status = |pace| show_status(&model.name, self.settings.engine, context, pace, "Esc stops");
        let mut generator = Generator::new(&mut *self.engine, &model.tokenizer, sampler, &prompt, options);
        let pace = story::tell(&mut generator, self.clock, &mut self.input, &status);
        let pace = pace.map_err(StoryError::Engine)?;
        self.stories += 1;
        self.last = pace;
        self.total.tokens += pace.tokens;
        self.total.micros += pace.micros;
        Ok(())
    }

    fn show_settings(&self) {
        let Settings { temperature, topp, seed, steps, engine, .. } = *self.settings;
        let (temperature, topp) = (Decimal(temperature), Decimal(topp));
        let engine = engine.name();
        println!("temperature {temperature}, top-p {topp}, seed {seed}, {steps} steps, engine {engine}");
    }

    fn show_stats(&self) {
        let Self { model, context, stories, total, .. } = self;
        println!("model    {}: {}, context {context}", model.name, model.shape);
        println!("stories  {stories}: {total}");
        println!("memory   {} KB free", heap::free() >> 10);
        self.show_settings();
    }
}

/// An engine of the kind that the settings name.
fn engine<'m>(
    kind: EngineKind,
    model: &'m Model,
    context: usize,
    processors: Processors<'m>,
) -> Result<Box<dyn Engine + 'm>, EngineError> {
    Ok(match kind {
        EngineKind::Int8 => Box::new(Int8::on(processors, model, context)?),
        EngineKind::Sector => Box::new(Sector::new(model, context)?),
    })
}

/// The status line: what runs, how fast, how full the context is, and what can be typed.
fn show_status(name: &str, engine: EngineKind, context: usize, pace: Pace, hint: &str) {
    let (engine, position) = (engine.name(), pace.tokens);
    console::with(|console| {
        console.set_status(format_args!(" {name} {engine}  {pace}  {position}/{context}  {hint}"));
    });
}
