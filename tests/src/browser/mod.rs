//! Chromium without a window, steered over its debugging pipe, and Node: where the page and v86 run.
//!
//! Protocol: <https://chromedevtools.github.io/devtools-protocol/>; with `--remote-debugging-pipe` the
//! browser reads JSON messages from file descriptor 3 and writes them to 4, each ended by a NUL.
pub mod node;
pub mod tab;

use std::{
    env,
    io::{BufRead, BufReader, Write},
    path::PathBuf,
    process::{ChildStdin, Command, Stdio},
    sync::mpsc::{Receiver, RecvTimeoutError, channel},
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tempfile::TempDir;

pub use tab::Tab;

use crate::{Error, process::Process};

/// Where Chromium is, by the names of its packages.
const NAMES: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];
const HINT: &str = "the package chromium has it";
/// How long the browser may think about one message.
const ANSWER: Duration = Duration::from_secs(30);
/// Hands standard input and output on as the descriptors of the debugging pipe.
const AS_PIPE: &str = r#"exec "$@" 3<&0 4>&1 0</dev/null 1>/dev/null"#;
const FLAGS: [&str; 11] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--remote-debugging-pipe",
];

/// A browser.
pub struct Chromium {
    process: Process,
    input: ChildStdin,
    messages: Receiver<Value>,
    next_id: u64,
    _profile: TempDir,
}

impl Chromium {
    /// Starts a browser with a new profile. It ends by itself after `limit`.
    ///
    /// # Errors
    /// [`Error::Missing`] if Chromium is not installed.
    pub fn start(limit: Duration) -> Result<Self, Error> {
        let program = find(&NAMES, HINT)?;
        let profile = TempDir::with_prefix("unreallm-browser-").map_err(Error::io("make a profile"))?;
        let mut command = Command::new("sh");
        command.args(["-c", AS_PIPE, "sh"]).arg(program).args(FLAGS);
        command.arg(format!("--user-data-dir={}", profile.path().display()));
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = Process::start(&mut command, limit, HINT)?;
        let input = process.child().stdin.take().expect("standard input is a pipe");
        let output = process.child().stdout.take().expect("standard output is a pipe");
        let (sender, messages) = channel();
        thread::spawn(move || {
            for message in BufReader::new(output).split(0).map_while(Result::ok) {
                let Ok(message) = serde_json::from_slice(&message) else { continue };
                if sender.send(message).is_err() {
                    return;
                }
            }
        });
        Ok(Self { process, input, messages, next_id: 1, _profile: profile })
    }

    /// Opens an empty tab.
    ///
    /// # Errors
    /// Where the browser does not answer.
    pub fn tab(mut self) -> Result<Tab, Error> {
        let target = self.call(None, "Target.createTarget", json!({ "url": "about:blank" }))?;
        let attach = json!({ "targetId": target["targetId"], "flatten": true });
        let session = self.call(None, "Target.attachToTarget", attach)?;
        let session = session["sessionId"].as_str().unwrap_or_default().to_owned();
        Ok(Tab::new(self, session))
    }

    /// Calls a method of the protocol, and returns its result.
    fn call(&mut self, session: Option<&str>, method: &str, params: Value) -> Result<Value, Error> {
        if self.process.age() > self.process.limit() {
            return Err(self.timed_out(method));
        }
        let id = self.next_id;
        self.next_id += 1;
        let mut message = json!({ "id": id, "method": method, "params": params });
        if let Some(session) = session {
            message["sessionId"] = session.into();
        }
        self.input.write_all(format!("{message}\0").as_bytes()).map_err(Error::io("speak to Chromium"))?;
        let deadline = Instant::now() + ANSWER;
        loop {
            let answer = match self.messages.recv_timeout(deadline.saturating_duration_since(Instant::now()))
            {
                Ok(answer) => answer,
                Err(RecvTimeoutError::Timeout) => return Err(self.timed_out(method)),
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(Error::Answer { asked: method.into(), answer: self.process.stderr() });
                }
            };
            if answer["id"] != id {
                continue; // an event, which nobody asked for
            }
            if let Some(error) = answer.get("error") {
                return Err(Error::Answer { asked: method.into(), answer: error.to_string() });
            }
            return Ok(answer["result"].clone());
        }
    }

    fn timed_out(&self, awaited: &str) -> Error {
        Error::TimedOut { awaited: awaited.into(), limit: self.process.limit(), log: self.process.stderr() }
    }
}

/// The first of these programs that is in PATH.
fn find(names: &[&str], hint: &'static str) -> Result<PathBuf, Error> {
    let folders: Vec<PathBuf> = env::split_paths(&env::var_os("PATH").unwrap_or_default()).collect();
    let found =
        names.iter().find_map(|name| folders.iter().map(|f| f.join(name)).find(|path| path.is_file()));
    found.ok_or_else(|| Error::Missing { program: names[0].into(), hint })
}
