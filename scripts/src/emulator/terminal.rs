//! The terminal of this program, as it was before an emulator had it.
//!
//! QEMU puts the terminal into raw mode and back again; it also keeps its end of it from blocking.
//! Both stay so when QEMU is killed, for every program that uses the terminal afterwards.
use std::{
    io::{self, IsTerminal},
    os::fd::{AsFd, OwnedFd},
};

use rustix::{
    fs::{OFlags, fcntl_getfl, fcntl_setfl},
    termios::{OptionalActions, Termios, tcgetattr, tcsetattr},
};

/// Whether a person types here: the standard input is a terminal.
pub fn is_attended() -> bool {
    io::stdin().is_terminal()
}

/// What an emulator may change. Dropping it puts all of it back.
pub struct Saved {
    streams: Vec<(OwnedFd, OFlags)>,
    modes: Option<Termios>,
}

impl Saved {
    /// Takes the state of standard input and output down. What cannot be asked for is left alone.
    pub fn now() -> Self {
        let flags = |fd: OwnedFd| fcntl_getfl(&fd).ok().map(|flags| (fd, flags));
        let streams = [io::stdin().as_fd().try_clone_to_owned(), io::stdout().as_fd().try_clone_to_owned()];
        let streams = streams.into_iter().filter_map(|fd| flags(fd.ok()?)).collect();
        Self { streams, modes: tcgetattr(io::stdin()).ok() }
    }
}

impl Drop for Saved {
    fn drop(&mut self) {
        // A terminal that has been closed meanwhile needs none of it.
        for (stream, flags) in &self.streams {
            let _ = fcntl_setfl(stream, *flags);
        }
        if let Some(modes) = &self.modes {
            let _ = tcsetattr(io::stdin(), OptionalActions::Now, modes);
        }
    }
}
