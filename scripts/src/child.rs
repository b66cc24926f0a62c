//! A child process that never outlives this program, and leaves the terminal as it was.
use std::{
    io,
    ops::ControlFlow,
    os::unix::process::CommandExt,
    process::{Child, ChildStderr, ChildStdin, ChildStdout, Command, ExitStatus},
    thread::sleep,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};

use crate::{emulator::terminal::Saved, interrupt::Watch};

/// How often the child and its output are looked at.
pub const POLL: Duration = Duration::from_millis(10);
/// How long a child may take to end by itself after it was asked to.
const GRACE: Duration = Duration::from_secs(1);

/// Why a child did not run.
#[derive(Debug, thiserror::Error)]
pub enum ChildError {
    /// It is there, but cannot be started.
    #[error("{program} could not be started: {cause}")]
    Start {
        /// The program.
        program: String,
        /// Why not.
        cause: io::Error,
    },
    /// A signal handler could not be set.
    #[error("Ctrl-C cannot be caught here: {0}")]
    Signals(#[from] ctrlc::Error),
}

/// Why waiting for a child came to an end.
pub enum End {
    /// It ended by itself.
    Exited(ExitStatus),
    /// This program was told to stop, and the child with it.
    Interrupted,
    /// Its time was up.
    TimedOut,
}

/// A running child. Dropping it ends it.
pub struct Guarded {
    child: Child,
    own_group: bool,
    /// Put back after the child's end: fields are dropped after [`Guarded`] itself.
    _terminal: Saved,
    watch: Watch,
}

impl Guarded {
    /// Starts `command`. `own_group` puts it and its own children into a group of their own, which
    /// Ctrl-C on the terminal does not reach: this program ends the whole group instead.
    ///
    /// # Errors
    /// Where it cannot be started, or signals cannot be caught.
    pub fn spawn(command: &mut Command, own_group: bool) -> Result<Self, ChildError> {
        let program = command.get_program().to_string_lossy().into_owned();
        let watch = Watch::begin()?;
        if own_group {
            command.process_group(0);
        }
        end_with_parent(command);
        let terminal = Saved::now();
        let child = command.spawn().map_err(|cause| ChildError::Start { program, cause })?;
        Ok(Self { child, own_group, _terminal: terminal, watch })
    }

    /// Its standard input, where it was piped and not yet taken.
    pub fn take_stdin(&mut self) -> Option<ChildStdin> {
        self.child.stdin.take()
    }

    /// Its standard output, where it was piped and not yet taken.
    pub fn take_stdout(&mut self) -> Option<ChildStdout> {
        self.child.stdout.take()
    }

    /// Its standard error, where it was piped and not yet taken.
    pub fn take_stderr(&mut self) -> Option<ChildStderr> {
        self.child.stderr.take()
    }

    /// Waits for the end, calling `meanwhile` often. Past `deadline`, or where `meanwhile` breaks off, the
    /// child is ended.
    ///
    /// # Errors
    /// Those of `meanwhile`, and where the system cannot tell how the child is.
    pub fn wait(
        &mut self,
        deadline: Option<Instant>,
        mut meanwhile: impl FnMut() -> io::Result<ControlFlow<()>>,
    ) -> io::Result<End> {
        loop {
            let flow = meanwhile()?;
            if let Some(status) = self.child.try_wait()? {
                let _ = meanwhile()?; // it may have left something
                if status.code().is_none() {
                    // Ctrl-C goes to both: where it ended the child first, it is on its way to us.
                    sleep(POLL);
                }
                return Ok(if self.watch.asked() { End::Interrupted } else { End::Exited(status) });
            }
            if flow.is_break() || self.watch.asked() {
                self.end()?;
                return Ok(End::Interrupted);
            }
            if deadline.is_some_and(|deadline| Instant::now() > deadline) {
                self.end()?;
                return Ok(End::TimedOut);
            }
            sleep(POLL);
        }
    }

    /// Ends the child: by asking it first, so that it can put its terminal right.
    fn end(&mut self) -> io::Result<()> {
        let asked = Instant::now();
        self.signal(Signal::TERM);
        while self.child.try_wait()?.is_none() {
            if asked.elapsed() > GRACE {
                self.signal(Signal::KILL);
                self.child.wait()?;
                break;
            }
            sleep(POLL);
        }
        Ok(())
    }

    /// Sends a signal to a child that has not been waited for, so that its id is still its own.
    /// A child that has just ended is no error.
    fn signal(&self, signal: Signal) {
        let pid = Pid::from_child(&self.child);
        let _ = if self.own_group { kill_process_group(pid, signal) } else { kill_process(pid, signal) };
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        if let Ok(None) = self.child.try_wait() {
            let _ = self.end();
        }
    }
}

/// Has the kernel end the child when this program dies in a way that runs no code of its own.
#[cfg(target_os = "linux")]
fn end_with_parent(command: &mut Command) {
    let parent = Some(rustix::process::getpid());
    let ask = move || {
        rustix::process::set_parent_process_death_signal(Some(Signal::TERM))?;
        // A parent that died before the request gives no signal any more.
        if rustix::process::getppid() == parent { Ok(()) } else { Err(io::ErrorKind::BrokenPipe.into()) }
    };
    // SAFETY: between fork and exec only what is async-signal-safe may run. `ask` makes two system
    // calls (prctl, getppid) and compares numbers: it allocates nothing and takes no lock.
    unsafe { command.pre_exec(ask) };
}

/// Elsewhere there is no such request; every orderly end is still covered by [`Guarded`].
#[cfg(not(target_os = "linux"))]
fn end_with_parent(_: &mut Command) {}
