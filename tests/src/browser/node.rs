//! Node: v86 without a browser, and the page's parts by themselves.
use std::{
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use serde_json::Value;

use super::find;
use crate::Error;

const HINT: &str = "the package nodejs has it";

/// What v86 under Node showed.
pub struct Shown {
    /// All that came from the serial port.
    pub serial: String,
    /// The rows of the VGA text screen.
    pub screen: Vec<String>,
}

/// Boots a model of a page under Node, with some settings changed, until the story has ended, the
/// machine has stopped, or the time is up.
///
/// # Errors
/// [`Error::Missing`] without Node.
pub fn boot(page: &Path, model: &str, settings: &Value, limit: Duration) -> Result<Shown, Error> {
    let (settings, seconds) = (settings.to_string(), limit.as_secs().to_string());
    let answer = run("boot.mjs", &[&page.to_string_lossy(), model, &settings, &seconds], b"")?;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let screen = answer["screen"].as_array().map(|rows| rows.iter().map(text).collect()).unwrap_or_default();
    Ok(Shown { serial: text(&answer["serial"]), screen })
}

/// Asks parts.mjs.
///
/// # Errors
/// [`Error::Missing`] without Node.
pub fn parts(asked: &Value) -> Result<Value, Error> {
    run("parts.mjs", &[], asked.to_string().as_bytes())
}

/// Runs a script of tests/web and reads the JSON document that it prints.
fn run(script: &str, arguments: &[&str], input: &[u8]) -> Result<Value, Error> {
    let path: PathBuf = [env!("CARGO_MANIFEST_DIR"), "web", script].iter().collect();
    let mut child = Command::new(find(&["node", "nodejs"], HINT)?)
        .arg(path)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(Error::io("start Node"))?;
    child.stdin.take().expect("it is a pipe").write_all(input).map_err(Error::io("write to Node"))?;
    let done = child.wait_with_output().map_err(Error::io("wait for Node"))?;
    serde_json::from_slice(&done.stdout).map_err(|_| Error::Answer {
        asked: script.into(),
        answer: String::from_utf8_lossy(&done.stderr).into_owned(),
    })
}
