//! The stop for an error: a sentence on both consoles, and an end of the run.
use crate::power::{self, Outcome};
use crate::println;
use core::fmt::Display;

/// Takes the good case apart or stops with the error's sentence.
pub trait OrRefuse<T> {
    /// The value, or the end of the run.
    fn or_refuse(self) -> T;
}

impl<T, E: Display> OrRefuse<T> for Result<T, E> {
    fn or_refuse(self) -> T {
        match self {
            Ok(value) => value,
            Err(error) => refuse(&error),
        }
    }
}

/// Says why the machine stops, and stops it.
#[cold]
pub fn refuse(error: &dyn Display) -> ! {
    println!("\nunreallm: {error}");
    power::finish(Outcome::Failure)
}
