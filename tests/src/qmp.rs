//! QEMU's control socket: QMP, one JSON document a line (QEMU, docs/interop/qmp-spec).
use std::{
    io::{BufRead, BufReader, Write},
    os::unix::net::UnixStream,
    path::Path,
    time::Duration,
};

use serde_json::{Value, json};

use crate::Error;

/// QEMU answers at once, or something is wrong.
const ANSWER_LIMIT: Duration = Duration::from_secs(10);

/// A connection to a running QEMU.
pub struct Qmp {
    commands: UnixStream,
    answers: BufReader<UnixStream>,
}

impl Qmp {
    /// Connects to QEMU's socket and leaves the negotiation phase. `Ok(None)` while QEMU has not
    /// opened the socket yet.
    ///
    /// # Errors
    /// [`Error::Io`] or [`Error::Answer`] if QEMU does not speak QMP there.
    pub fn connect(socket: &Path) -> Result<Option<Self>, Error> {
        let Ok(commands) = UnixStream::connect(socket) else { return Ok(None) };
        commands.set_read_timeout(Some(ANSWER_LIMIT)).map_err(Error::io("set up QMP"))?;
        let answers = BufReader::new(commands.try_clone().map_err(Error::io("set up QMP"))?);
        let mut qmp = Self { commands, answers };
        let greeting = qmp.read()?;
        if greeting.get("QMP").is_none() {
            return Err(Error::Answer { asked: "connecting to QMP".into(), answer: greeting.to_string() });
        }
        qmp.execute("qmp_capabilities", json!({}))?;
        Ok(Some(qmp))
    }

    /// Runs a command and gives what it returns. Events on the way are passed over.
    ///
    /// # Errors
    /// [`Error::Answer`] with QEMU's error, [`Error::Io`] if QEMU is gone.
    pub fn execute(&mut self, command: &str, arguments: Value) -> Result<Value, Error> {
        let line = json!({ "execute": command, "arguments": arguments }).to_string() + "\n";
        self.commands.write_all(line.as_bytes()).map_err(Error::io(format!("send QMP's {command}")))?;
        loop {
            let mut answer = self.read()?;
            if let Some(value) = answer.get_mut("return") {
                return Ok(value.take());
            }
            if answer.get("error").is_some() {
                return Err(Error::Answer { asked: command.to_owned(), answer: answer.to_string() });
            }
        }
    }

    /// Runs a command of QEMU's monitor for people, such as `info registers`, on the first processor.
    ///
    /// # Errors
    /// As [`Qmp::execute`].
    pub fn monitor(&mut self, line: &str) -> Result<String, Error> {
        self.monitor_of(0, line)
    }

    /// The same on any processor.
    ///
    /// # Errors
    /// As [`Qmp::execute`].
    pub fn monitor_of(&mut self, processor: u32, line: &str) -> Result<String, Error> {
        let arguments = json!({ "command-line": line, "cpu-index": processor });
        let answer = self.execute("human-monitor-command", arguments)?;
        match answer {
            Value::String(text) => Ok(text),
            other => Err(Error::Answer { asked: line.to_owned(), answer: other.to_string() }),
        }
    }

    fn read(&mut self) -> Result<Value, Error> {
        let mut line = String::new();
        self.answers.read_line(&mut line).map_err(Error::io("read from QMP"))?;
        serde_json::from_str(&line).map_err(|_| Error::Answer { asked: "QMP".into(), answer: line })
    }
}
