//! The story: forward passes, and what they say on the consoles.
use crate::input::Input;
use core::fmt::{self, Write};
use firmware::tick;
use model::engine::Engine;
use model::generate::Generator;
use pc::clock::{self, Clock};
use pc::ending::OrRefuse;
use pc::{console, println, stack};
use protocol::decimal::Places;
use protocol::trace::TraceRecord;

/// How often the status line changes, in microseconds: as often as an eye can follow.
const STATUS_TIME: u64 = 100_000;

/// How fast a story is told, or was.
#[derive(Clone, Copy, Default)]
pub struct Pace {
    /// Tokens, which is also the position in the context.
    pub tokens: u64,
    /// The time they took.
    pub micros: u64,
    /// The clock is not sure of it.
    pub is_about: bool,
}

impl fmt::Display for Pace {
    /// `256 tokens, 512.3 tok/s, 1.95 ms a token`, or `about 512.3 tok/s`; without the tokens as `{:#}`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { tokens, micros, is_about } = *self;
        let rate = Places { number: (tokens * 10_000_000 / micros.max(1)) as u32, places: 1 };
        let each = Places { number: (micros / 10 / tokens.max(1)) as u32, places: 2 };
        let about = if is_about { "about " } else { "" };
        if !f.alternate() {
            write!(f, "{tokens} tokens, ")?;
        }
        write!(f, "{about}{rate} tok/s, {each} ms a token")
    }
}

/// Tells a story on both consoles, to its end or until Esc; trace records go to the serial port
/// alone. Then a line with how many tokens there were and how fast they came, by the BIOS's tick where the
/// clock is off. `show` shows the pace in between.
pub fn tell<E: Engine>(
    generator: &mut Generator<E>,
    clock: &Clock,
    input: &mut Input,
    show: &dyn Fn(Pace),
) -> Pace {
    let (start, first_tick) = (clock.now(), clock::ticks());
    console::with(|console| console.write_bytes(generator.opening().bytes()));
    let mut pace = Pace { is_about: !clock.is_sure(), ..Pace::default() };
    let mut shown = 0;
    let mut stopped = false;
    while !stopped && let Some(step) = generator.step() {
        stack::check().or_refuse();
        console::with(|console| {
            console.write_bytes(step.piece.bytes());
            if let Some(record) = TraceRecord::of(&step) {
                console.serial_only(|console| {
                    let _ = write!(console, "{record}");
                });
            }
        });
        pace.tokens += 1;
        pace.micros = clock.micros_since(start);
        if pace.micros - shown > STATUS_TIME {
            show(pace);
            shown = pace.micros;
        }
        stopped = input.is_stopped();
    }
    if let Some(micros) = tick::correction(pace.micros, first_tick, clock::ticks()) {
        pace.micros = micros;
        pace.is_about = true;
    }
    println!("\n[{pace}{}]", if stopped { ", stopped" } else { "" });
    pace
}
