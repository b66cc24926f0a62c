//! The ends of a run: a story told, a sentence that says why not, a fault's last words.
use crate::console::{self, Console};
use crate::power::{self, Outcome};
use crate::println;
use core::fmt::{Arguments, Display};
use core::sync::atomic::{AtomicBool, AtomicU8, Ordering};

/// Does a run end with the machine off? Unknown before the settings are read, so: no.
static POWER_OFF: AtomicBool = AtomicBool::new(false);

/// Says whether a run ends with the machine off.
pub fn set_power_off(power_off: bool) {
    POWER_OFF.store(power_off, Ordering::Relaxed);
}

/// The end of a run.
pub fn finish(outcome: Outcome) -> ! {
    console::with(Console::wait_until_sent);
    finish_without_console(outcome)
}

/// The same where the console's own code fails.
fn finish_without_console(outcome: Outcome) -> ! {
    if POWER_OFF.load(Ordering::Relaxed) {
        power::switch_off(outcome);
    }
    power::halt()
}

/// Switches the machine off, as the user asked; halts it where that does not work.
pub fn off() -> ! {
    console::with(Console::wait_until_sent);
    power::switch_off(Outcome::Success);
    power::halt()
}

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
    finish(Outcome::Failure)
}

/// The last words of a machine that stops in the middle of anything: the console is taken from whoever
/// holds it, and set up if the fault came first. Where the words themselves fail, the machine ends without
/// them, and where that fails, too, it halts: it must not fail for ever.
pub fn last_words(words: Arguments) -> ! {
    static FAILURES: AtomicU8 = AtomicU8::new(0);
    let failures = FAILURES.load(Ordering::Relaxed);
    FAILURES.store(failures + 1, Ordering::Relaxed);
    match failures {
        0 => {}
        1 => finish_without_console(Outcome::Failure),
        _ => power::halt(),
    }
    // SAFETY: the holder is the code that was interrupted by the fault; it never runs again.
    unsafe { console::seize() };
    println!("{words}");
    finish(Outcome::Failure)
}
