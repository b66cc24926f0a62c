//! A machine's serial port as a connection to this program: what the machine sends goes to standard
//! output, what comes from standard input goes to the machine.
use std::{
    io::{self, ErrorKind, Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    ops::ControlFlow,
};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::keys::{Escapes, Keys};

/// The machine's own error sentences begin like this, on a line of their own.
const ERROR_PREFIX: &[u8] = b"unreallm: ";

/// A serial port that the emulator connects to.
pub struct SerialLine {
    listener: TcpListener,
    stream: Option<TcpStream>,
    keys: Keys,
    escapes: Escapes,
    /// Typed, and not yet taken by the emulator.
    typed: Vec<u8>,
    /// Nothing more comes from standard input.
    input_ended: bool,
    /// What of the current line of the machine has come.
    line: Vec<u8>,
    error_seen: bool,
}

impl SerialLine {
    /// Waits for the emulator on a port that the system chooses.
    ///
    /// # Errors
    /// Where there is none.
    pub fn new(keys: Keys) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        Ok(Self {
            listener,
            stream: None,
            keys,
            escapes: Escapes::default(),
            typed: Vec::new(),
            input_ended: false,
            line: Vec::new(),
            error_seen: false,
        })
    }

    /// Where the emulator finds it.
    ///
    /// # Errors
    /// Where the system does not tell.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Whether the machine has said that it stops with an error.
    pub fn error_seen(&self) -> bool {
        self.error_seen
    }

    /// Carries on what has come on either side. Breaks off where the user wants to leave.
    ///
    /// # Errors
    /// Where a side fails.
    pub fn carry(&mut self) -> io::Result<ControlFlow<()>> {
        if self.stream.is_none() {
            match self.listener.accept() {
                Ok((stream, _)) => {
                    stream.set_nonblocking(true)?;
                    self.stream = Some(stream);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
        self.show()?;
        let flow = self.take_keys()?;
        self.send()?;
        Ok(flow)
    }

    /// What the machine sent goes to standard output.
    fn show(&mut self) -> io::Result<()> {
        let Some(stream) = &mut self.stream else { return Ok(()) };
        let mut piece = [0; 4096];
        while let Some(sent @ 1..) = unless_blocked(stream.read(&mut piece))? {
            let new = &piece[..sent];
            for &byte in new {
                if byte == b'\n' || byte == b'\r' {
                    self.line.clear();
                } else {
                    self.line.push(byte);
                    self.error_seen |= self.line == ERROR_PREFIX;
                }
            }
            let mut out = io::stdout().lock();
            out.write_all(new)?;
            out.flush()?;
        }
        Ok(())
    }

    /// Takes what was typed, once the machine has taken what was typed before.
    fn take_keys(&mut self) -> io::Result<ControlFlow<()>> {
        if self.input_ended || !self.typed.is_empty() {
            return Ok(ControlFlow::Continue(()));
        }
        let stdin = io::stdin();
        let mut asked = [PollFd::new(&stdin, PollFlags::IN)];
        match poll(&mut asked, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })) {
            Ok(0) | Err(rustix::io::Errno::INTR) => return Ok(ControlFlow::Continue(())),
            Ok(_) => {}
            Err(error) => return Err(error.into()),
        }
        let mut piece = [0; 256];
        let count = rustix::io::read(&stdin, &mut piece)?;
        self.input_ended = count == 0;
        if self.keys == Keys::Cooked {
            self.typed.extend_from_slice(&piece[..count]);
        } else if self.escapes.filter(&piece[..count], &mut self.typed) {
            return Ok(ControlFlow::Break(()));
        }
        Ok(ControlFlow::Continue(()))
    }

    /// Sends what was typed, as far as the emulator takes it.
    fn send(&mut self) -> io::Result<()> {
        if let Some(stream) = &mut self.stream
            && !self.typed.is_empty()
            && let Some(taken) = unless_blocked(stream.write(&self.typed))?
        {
            self.typed.drain(..taken);
        }
        Ok(())
    }
}

/// `None` where it would have to wait; a connection that the emulator has closed carries nothing more.
fn unless_blocked(result: io::Result<usize>) -> io::Result<Option<usize>> {
    match result {
        Ok(count) => Ok(Some(count)),
        Err(error) => match error.kind() {
            ErrorKind::WouldBlock
            | ErrorKind::Interrupted
            | ErrorKind::ConnectionReset
            | ErrorKind::BrokenPipe => Ok(None),
            _ => Err(error),
        },
    }
}
