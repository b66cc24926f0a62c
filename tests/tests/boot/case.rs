//! One test: it passes, fails with a sentence, or is skipped with a reason.
use libtest_mimic::{Completion, Failed, Trial};
use machine::Error;

/// Why a test did not pass.
pub enum Trouble {
    /// Something that the test needs is not on this computer.
    Skip(String),
    /// The machine did something else than it should.
    Wrong(String),
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        match error {
            Error::Missing { .. } => Self::Skip(error.to_string()),
            _ => Self::Wrong(error.to_string()),
        }
    }
}

/// A test with a name.
pub fn case(name: &str, test: impl FnOnce() -> Result<(), Trouble> + Send + 'static) -> Trial {
    Trial::ignorable_test(name, || match test() {
        Ok(()) => Ok(Completion::Completed),
        Err(Trouble::Skip(reason)) => Ok(Completion::ignored_with(reason)),
        Err(Trouble::Wrong(what)) => Err(Failed::from(what)),
    })
}

/// Fails with `what` unless `holds`.
pub fn ensure(holds: bool, what: impl FnOnce() -> String) -> Result<(), Trouble> {
    if holds { Ok(()) } else { Err(Trouble::Wrong(what())) }
}
