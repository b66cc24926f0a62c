//! What can go wrong around a machine, as distinct from what a test finds wrong inside it.
use std::{io, process::ExitStatus, time::Duration};

/// Why a machine could not be started or watched.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The emulator is not installed. A test reports this as skipped, not as failed.
    #[error("{program} is not installed; {hint}")]
    Missing {
        /// The program that was looked for.
        program: String,
        /// Which package has it.
        hint: &'static str,
    },
    /// The operating system refused something.
    #[error("cannot {doing}: {cause}")]
    Io {
        /// What was being done.
        doing: String,
        /// The system's reason.
        cause: io::Error,
    },
    /// The time was up before the machine did what was waited for.
    #[error("no {awaited} within {limit:?}; what came ends with:\n{log}")]
    TimedOut {
        /// What was waited for.
        awaited: String,
        /// The machine's time limit.
        limit: Duration,
        /// The end of the serial log.
        log: String,
    },
    /// The emulator ended before the machine did what was waited for.
    #[error(
        "the emulator ended ({status}) before {awaited}; it said: {said}\nthe serial log ends with:\n{log}"
    )]
    Ended {
        /// What was waited for.
        awaited: String,
        /// How it ended.
        status: ExitStatus,
        /// What it wrote on its standard error.
        said: String,
        /// The end of the serial log.
        log: String,
    },
    /// QEMU or Bochs answered something that cannot be understood.
    #[error("{asked} was answered by: {answer}")]
    Answer {
        /// The command.
        asked: String,
        /// The answer.
        answer: String,
    },
}

impl Error {
    /// For `map_err`: the operating system refused to do `doing`.
    pub fn io(doing: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        move |cause| Self::Io { doing: doing.into(), cause }
    }
}
