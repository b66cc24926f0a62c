//! A session: stories, and between them the prompt.
use crate::input::Input;
use crate::story::{self, Pace};
use alloc::string::String;
use model::engine::{Engine, EngineError};
use model::generate::{Generator, Options};
use model::packed::Text;
use model::sampler::Sampler;
use model::vocabulary::{EncodeError, SpecialTokens};
use pc::clock::Clock;
use pc::ending::{self, OrRefuse};
use pc::power::{self, Outcome};
use pc::{console, heap, print, println};
use prompt::command::{self, Help, Request};
use prompt::editor::Editor;
use protocol::settings::{Decimal, Settings};

/// What stories are told with.
pub struct Session<'m, E> {
    text: &'m Text<'m>,
    clock: &'m Clock,
    settings: &'m mut Settings,
    engine: E,
    input: Input<'m>,
    editor: Editor,
    stories: u32,
    /// The last story.
    last: Pace,
    /// All stories together.
    total: Pace,
}

/// Why a story was not told.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub enum StoryError {
    /// Its beginning has characters that the model cannot read.
    Encode(#[from] EncodeError),
    /// There is not enough memory, or the beginning is longer than the context.
    Engine(#[from] EngineError),
}

impl<'m, E: Engine> Session<'m, E> {
    /// A session with this engine.
    pub fn new(text: &'m Text<'m>, engine: E, clock: &'m Clock, settings: &'m mut Settings) -> Self {
        Self {
            text,
            clock,
            engine,
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
            ending::finish(Outcome::Success);
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
        show_status(self.text.name, self.engine.kind().name(), context, self.last, "/help");
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
            Request::Off => ending::off(),
        }
    }

    /// Changes a setting, and says why not where that cannot be.
    #[inline(never)] // a small frame: what is in it is reached by short instructions
    fn set(&mut self, key: &str, value: &str) {
        if let Err(wanted) = self.settings.set_story(key, value) {
            println!("The {key} must be {wanted}, not '{value}'.");
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
        // What is typed never becomes a special token.
        let prompt = self.text.vocabulary.encode(&self.settings.prompt, SpecialTokens::AreText)?;
        let context = self.engine.context();
        let (text, kind) = (self.text, self.engine.kind());
        let sampler = Sampler::new(text.tables, text.shape.vocab_size, temperature, topp, seed);
        let sampler = sampler.map_err(EngineError::from)?;
        let options = Options { steps: steps as usize, trace, endless, raw_bytes };
        let status = |pace| show_status(text.name, kind.name(), context, pace, "Esc stops");
        let mut generator = Generator::new(&mut self.engine, &text.vocabulary, sampler, &prompt, options)?;
        let pace = story::tell(&mut generator, self.clock, &mut self.input, &status);
        self.stories += 1;
        self.last = pace;
        self.total.tokens += pace.tokens;
        self.total.micros += pace.micros;
        self.total.is_about |= pace.is_about;
        Ok(())
    }

    fn show_settings(&self) {
        let Settings { temperature, topp, seed, steps, .. } = *self.settings;
        let (temperature, topp) = (Decimal(temperature), Decimal(topp));
        let engine = self.engine.kind().name();
        println!("temperature {temperature}, top-p {topp}, seed {seed}, {steps} steps, engine {engine}");
    }

    fn show_stats(&self) {
        let Self { text, stories, total, .. } = self;
        let context = self.engine.context();
        println!("model    {}: {}, context {context}", text.name, text.shape);
        println!("stories  {stories}: {total}");
        println!("residual {} values limited", self.engine.saturations());
        println!("memory   {} KiB free", heap::free() >> 10);
        self.show_settings();
    }
}

/// The status line: what runs, how fast, how full the context is, and what can be typed.
fn show_status(name: &str, engine: &str, context: usize, pace: Pace, hint: &str) {
    let position = pace.tokens;
    console::with(|console| {
        console.set_status(format_args!(" {name} {engine}  {position}/{context}  {pace:#}  {hint}"));
    });
}
