//! pip, which downloads Python packages: from the index, through the proxy and with the certificates
//! that its own settings name.
use std::{
    ffi::OsStr,
    fs::{self, File},
    io::{self, IsTerminal},
    ops::ControlFlow,
    path::{Path, PathBuf},
    process::{Command, ExitStatus, Stdio},
};

use super::FetchError;
use crate::child::{End, Guarded};

/// What pip is called. The first is sure to be the pip of the Python that `python3` is.
const NAMES: [&[&str]; 3] = [&["python3", "-m", "pip"], &["pip3"], &["pip"]];
/// A wheel and nothing else: pip would run the code of a package that comes as source.
const DOWNLOAD: [&str; 4] = ["download", "--no-deps", "--only-binary", ":all:"];
/// No second copy in pip's own cache, no question, no advice to upgrade; and the user should know soon
/// where there is no network (pip tries five times and more).
const QUIETLY: [&str; 5] = ["--no-cache-dir", "--no-input", "--disable-pip-version-check", "--retries", "2"];
/// Where pip's messages are kept, beside the wheel.
const MESSAGES: &str = "pip.log";
/// Lines of them that go into a sentence.
const LINES: usize = 3;

/// A pip that works.
pub struct Pip {
    program: PathBuf,
    name: &'static [&'static str],
}

/// What came of a download.
pub enum Downloaded {
    /// The wheel.
    Wheel(PathBuf),
    /// There is none: how pip ended, and the last lines of what it said.
    Nothing(ExitStatus, String),
    /// This program was told to stop.
    Interrupted,
}

impl Pip {
    /// The first that works in `programs`, a list of folders as in PATH.
    pub fn find(programs: &OsStr) -> Option<Self> {
        NAMES.into_iter().find_map(|name| {
            let program = which::which_in_global(name[0], Some(programs)).ok()?.next()?;
            let mut asked = Command::new(&program);
            asked.args(&name[1..]).arg("--version").stdin(Stdio::null());
            asked.output().is_ok_and(|said| said.status.success()).then_some(Self { program, name })
        })
    }

    /// The command that downloads a wheel, as a person would type it.
    pub fn command(&self, requirement: &str) -> String {
        format!("{} download --no-deps {requirement}", self.name.join(" "))
    }

    /// Downloads a wheel into `folder`, which also holds whatever pip needs meanwhile. At a terminal
    /// pip shows its progress.
    ///
    /// # Errors
    /// Where pip does not start, or nothing can be written there.
    pub fn download(&self, requirement: &str, folder: &Path) -> Result<Downloaded, FetchError> {
        let failed = |cause| FetchError::Write { path: folder.into(), cause };
        let messages = folder.join(MESSAGES);
        let mut command = Command::new(&self.program);
        command.args(&self.name[1..]).args(DOWNLOAD).args(QUIETLY).arg("--dest").arg(folder).arg(requirement);
        command.env("TMPDIR", folder).stdin(Stdio::null());
        // What pip prints goes to stderr: stdout is for what this program's user asked for.
        command.stdout(if io::stderr().is_terminal() { io::stderr().into() } else { Stdio::null() });
        command.stderr(File::create(&messages).map_err(failed)?);
        let mut child = Guarded::spawn(&mut command, false)?;
        let status = match child.wait(None, || Ok(ControlFlow::Continue(()))).map_err(failed)? {
            End::Exited(status) => status,
            End::Interrupted | End::TimedOut => return Ok(Downloaded::Interrupted),
        };
        if status.success() {
            for entry in fs::read_dir(folder).map_err(failed)? {
                let path = entry.map_err(failed)?.path();
                if path.extension() == Some(OsStr::new("whl")) {
                    return Ok(Downloaded::Wheel(path));
                }
            }
        }
        let messages = fs::read(messages).map_err(failed)?;
        Ok(Downloaded::Nothing(status, last_lines(&String::from_utf8_lossy(&messages))))
    }
}

/// The end of pip's messages, as part of a sentence.
fn last_lines(messages: &str) -> String {
    let lines: Vec<_> = messages.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    match lines.len() {
        0 => "nothing".into(),
        count => lines[count.saturating_sub(LINES)..].join("; "),
    }
}
