//! An emulator as a child process: it has a time limit, and it does not outlive its owner.
use std::{
    io::{self, Read},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use crate::Error;

/// How often a waiting test looks again.
pub const POLL: Duration = Duration::from_millis(5);

/// Bytes that a thread collects from a pipe, so that the child never blocks on a full one.
#[derive(Clone, Default)]
pub struct Collected(Arc<Mutex<Arrivals>>);

#[derive(Default)]
struct Arrivals {
    bytes: Vec<u8>,
    /// When each piece came, and how many bytes there were with it.
    times: Vec<(Instant, usize)>,
}

impl Collected {
    /// Starts collecting all of `pipe`.
    pub fn from_pipe(mut pipe: impl Read + Send + 'static) -> Self {
        let collected = Self::default();
        let bytes = collected.clone();
        thread::spawn(move || {
            let mut chunk = [0; 4096];
            loop {
                match pipe.read(&mut chunk) {
                    Ok(0) => return,
                    Ok(n) => bytes.lock().push(&chunk[..n]),
                    Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                    Err(_) => return,
                }
            }
        });
        collected
    }

    /// What came so far.
    pub fn bytes(&self) -> Vec<u8> {
        self.lock().bytes.clone()
    }

    /// When the byte at `offset` came. `None` if it did not yet.
    pub fn arrival(&self, offset: usize) -> Option<Instant> {
        self.lock().times.iter().find(|(_, bytes)| *bytes > offset).map(|(time, _)| *time)
    }

    fn lock(&self) -> MutexGuard<'_, Arrivals> {
        // Nothing in here can panic half way, so what a dead thread left is good.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Arrivals {
    fn push(&mut self, piece: &[u8]) {
        self.bytes.extend_from_slice(piece);
        self.times.push((Instant::now(), self.bytes.len()));
    }
}

/// A child process with a time limit.
pub struct Process {
    child: Child,
    stderr: Collected,
    started: Instant,
    limit: Duration,
}

impl Process {
    /// Starts `command`. `hint` tells which package to install when there is no such program.
    ///
    /// # Errors
    /// [`Error::Missing`] if the program is not there, [`Error::Io`] if it cannot be started.
    pub fn start(command: &mut Command, limit: Duration, hint: &'static str) -> Result<Self, Error> {
        let program = command.get_program().to_string_lossy().into_owned();
        let started = Instant::now();
        let mut child = command.stderr(Stdio::piped()).spawn().map_err(|cause| match cause.kind() {
            io::ErrorKind::NotFound => Error::Missing { program: program.clone(), hint },
            _ => Error::Io { doing: format!("start {program}"), cause },
        })?;
        let stderr = child.stderr.take().map(Collected::from_pipe).unwrap_or_default();
        Ok(Self { child, stderr, started, limit })
    }

    /// The child, for its pipes.
    pub fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    /// When it was started.
    pub fn started(&self) -> Instant {
        self.started
    }

    /// Time since the start.
    pub fn age(&self) -> Duration {
        self.started.elapsed()
    }

    /// The processors' time that it has used so far, all its threads together.
    ///
    /// # Errors
    /// [`Error::Missing`] where the system does not tell, [`Error::Io`] if it has ended.
    #[cfg(target_os = "linux")]
    pub fn cpu_time(&self) -> Result<Duration, Error> {
        let pid = nix::unistd::Pid::from_raw(self.child.id() as i32);
        let time = nix::time::clock_getcpuclockid(pid).and_then(nix::time::clock_gettime);
        time.map(Duration::from)
            .map_err(|errno| Error::io("read the emulator's processor time")(errno.into()))
    }

    /// The processors' time that it has used so far, all its threads together.
    ///
    /// # Errors
    /// [`Error::Missing`] where the system does not tell, [`Error::Io`] if it has ended.
    #[cfg(not(target_os = "linux"))]
    pub fn cpu_time(&self) -> Result<Duration, Error> {
        Err(Error::Missing { program: "a clock of another process".into(), hint: "Linux has one" })
    }

    /// The time limit.
    pub fn limit(&self) -> Duration {
        self.limit
    }

    /// What the child wrote on standard error.
    pub fn stderr(&self) -> String {
        String::from_utf8_lossy(&self.stderr.bytes()).trim().to_owned()
    }

    /// Its exit status if it has ended.
    ///
    /// # Errors
    /// [`Error::Io`] if the system cannot tell.
    pub fn status(&mut self) -> Result<Option<ExitStatus>, Error> {
        self.child.try_wait().map_err(Error::io("look after the emulator"))
    }

    /// Ends the child at once and waits for it.
    pub fn kill(&mut self) {
        // Both fail only for a child that has ended already, which is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}
