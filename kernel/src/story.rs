//! The story: forward passes, and what they say on the consoles.
use crate::clock::Clock;
use crate::refusal::OrRefuse;
use crate::{console, println, stack_guard};
use core::fmt::Write;
use model::generate::Generator;

/// Tells a story to its end on both consoles; trace records go to the serial port alone. Then a line
/// with the number of tokens and how many a second.
pub fn tell(mut generator: Generator, clock: &Clock) {
    println!();
    let start = clock.now();
    let mut tokens = 0_u64;
    while let Some(step) = generator.step().or_refuse() {
        stack_guard::check().or_refuse();
        console::with(|console| {
            console.write_bytes(step.piece.bytes());
            if let Some(record) = step.trace() {
                console.serial_only(|console| {
                    let _ = write!(console, "{record}");
                });
            }
        });
        tokens += 1;
    }
    let micros = clock.micros_since(start).max(1);
    let tenths = tokens * 10_000_000 / micros;
    println!("\n[{tokens} tokens, {}.{} tok/s]", tenths / 10, tenths % 10);
}
