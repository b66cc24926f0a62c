//! Downloads published models into the user's cache folder.
//!
//! A file grows under the name FILE.part and gets its own name only when its SHA-256 is right, so
//! whatever has a model's name is whole. A download that was cut goes on where it stopped.
#[cfg(test)]
mod tests;

use std::{
    env,
    fs::{self, File, OpenOptions},
    io::{self, Read, Seek, Write},
    path::{Path, PathBuf},
    time::Duration,
};

use indicatif::{ProgressBar, ProgressStyle};
use sha2::{Digest, Sha256};
use ureq::{
    Agent, Body,
    http::{Response, StatusCode, header},
};

use crate::{
    models,
    published::{PublishedFile, PublishedModel},
};

/// The variable with another server's address: PATH of a published file is appended to it.
pub const MIRROR_VARIABLE: &str = "UNREALLM_MIRROR";
/// How long a name's lookup may take: without a network the user should know soon.
const RESOLVE: Duration = Duration::from_secs(1);
/// How long the server may take to answer a connection, encryption included.
const CONNECT: Duration = Duration::from_secs(5);
/// How long the server may be silent in the middle of a file.
const SILENCE: Duration = Duration::from_secs(30);
/// Bytes read at a time.
const CHUNK: usize = 1 << 16;

/// Why a file could not be fetched.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// There is nowhere to put it.
    #[error(
        "there is no cache folder, since HOME is not set; set HOME, or download {name} by hand and set {} to its folder",
        models::FOLDERS_VARIABLE
    )]
    NoCache {
        /// The file.
        name: &'static str,
    },
    /// The server could not be reached.
    #[error(
        "{url} cannot be reached ({cause}); go online, or copy {name} from another computer into {folder}"
    )]
    Unreachable {
        /// The address.
        url: String,
        /// What went wrong.
        cause: Box<ureq::Error>,
        /// The file.
        name: &'static str,
        /// The cache folder.
        folder: PathBuf,
    },
    /// The server answered that it does not have the file.
    #[error("{url} answered {status}; the file may have moved, look for {name} and copy it into {folder}")]
    Refused {
        /// The address.
        url: String,
        /// The server's answer.
        status: StatusCode,
        /// The file.
        name: &'static str,
        /// The cache folder.
        folder: PathBuf,
    },
    /// The connection ended in the middle.
    #[error("the connection was cut after {received} of {} bytes of {name} ({cause}); fetch it again to go on from there", total.map_or("unknown".into(), |total| total.to_string()))]
    Cut {
        /// The file.
        name: &'static str,
        /// Bytes that are here.
        received: u64,
        /// Bytes that it has, where the server said so.
        total: Option<u64>,
        /// What went wrong.
        cause: io::Error,
    },
    /// What came is not what was published.
    #[error(
        "{name} from {url} has the SHA-256 {found} instead of {expected}, so it was thrown away; fetch it again, and if that does not help, the file was changed where it is published"
    )]
    Checksum {
        /// The file.
        name: &'static str,
        /// The address.
        url: String,
        /// What it should be.
        expected: &'static str,
        /// What it is.
        found: String,
    },
    /// Another process is fetching the same file.
    #[error("{path} is being written by another fetch; wait for it to end")]
    Busy {
        /// The unfinished file.
        path: PathBuf,
    },
    /// A file in the cache could not be written.
    #[error("{path} cannot be written: {cause}")]
    Write {
        /// The file.
        path: PathBuf,
        /// Why not.
        cause: io::Error,
    },
}

/// A model's files, fetched.
#[derive(Debug, PartialEq, Eq)]
pub struct Fetched {
    /// The checkpoint.
    pub checkpoint: PathBuf,
    /// The tokenizer.
    pub tokenizer: PathBuf,
}

/// Where files come from and go to.
pub struct Fetcher {
    agent: Agent,
    mirror: Option<String>,
    folder: PathBuf,
}

impl Fetcher {
    /// From `$UNREALLM_MIRROR` or the publishers, into the user's cache folder.
    ///
    /// # Errors
    /// Where the user has no cache folder.
    pub fn of_user(name: &'static str) -> Result<Self, FetchError> {
        let folder = models::cache().ok_or(FetchError::NoCache { name })?;
        Ok(Self::new(env::var(MIRROR_VARIABLE).ok(), folder))
    }

    /// From `mirror`, or the publishers, into `folder`.
    pub fn new(mirror: Option<String>, folder: PathBuf) -> Self {
        let config = Agent::config_builder()
            .timeout_resolve(Some(RESOLVE))
            .timeout_connect(Some(CONNECT))
            .timeout_per_read(Some(SILENCE))
            .http_status_as_error(false)
            .user_agent(concat!("unreallm/", env!("CARGO_PKG_VERSION")))
            .build();
        Self { agent: config.into(), mirror, folder }
    }

    /// A model with its tokenizer. What is there already stays.
    ///
    /// # Errors
    /// What went wrong with the first file that failed.
    pub fn model(&self, model: &PublishedModel) -> Result<Fetched, FetchError> {
        Ok(Fetched { checkpoint: self.file(&model.checkpoint)?, tokenizer: self.file(&model.tokenizer)? })
    }

    /// One file.
    ///
    /// # Errors
    /// What went wrong, with what would help.
    pub fn file(&self, file: &PublishedFile) -> Result<PathBuf, FetchError> {
        let done = self.folder.join(file.name);
        if done.is_file() {
            return Ok(done);
        }
        let path = self.folder.join(format!("{}.part", file.name));
        let mut part = self.open_part(&path)?;
        let url = self.url(file);
        let found = self.download(file, &url, &mut part, &path)?;
        if found != file.sha256 {
            fs::remove_file(&path).map_err(|cause| FetchError::Write { path, cause })?;
            return Err(FetchError::Checksum { name: file.name, url, expected: file.sha256, found });
        }
        fs::rename(&path, &done).map_err(|cause| FetchError::Write { path: done.clone(), cause })?;
        Ok(done)
    }

    /// Where a file is published.
    fn url(&self, file: &PublishedFile) -> String {
        match &self.mirror {
            Some(mirror) => format!("{}/{}", mirror.trim_end_matches('/'), file.path),
            None => format!("{}{}", file.site.base(), file.path),
        }
    }

    /// The unfinished file, this process's alone.
    fn open_part(&self, path: &Path) -> Result<File, FetchError> {
        let failed = |cause| FetchError::Write { path: path.into(), cause };
        fs::create_dir_all(&self.folder).map_err(failed)?;
        let part = OpenOptions::new().read(true).append(true).create(true).open(path).map_err(failed)?;
        match part.try_lock() {
            Ok(()) => Ok(part),
            Err(fs::TryLockError::WouldBlock) => Err(FetchError::Busy { path: path.into() }),
            Err(fs::TryLockError::Error(cause)) => Err(failed(cause)),
        }
    }

    /// Completes the unfinished file, and returns its SHA-256 in hexadecimal.
    fn download(
        &self,
        file: &PublishedFile,
        url: &str,
        part: &mut File,
        path: &Path,
    ) -> Result<String, FetchError> {
        let failed = |cause| FetchError::Write { path: path.into(), cause };
        let mut hash = Sha256::new();
        let mut here = io::copy(part, &mut Hashing(&mut hash)).map_err(failed)?;
        let mut response = self.request(file, url, here)?;
        if response.status() == StatusCode::RANGE_NOT_SATISFIABLE {
            // All of it is here, or more than there is: the checksum tells.
            return Ok(hex(hash));
        }
        if here > 0 && response.status() != StatusCode::PARTIAL_CONTENT {
            // A server that cannot go on sends all of it again.
            part.set_len(0).and_then(|()| part.rewind()).map_err(failed)?;
            hash = Sha256::new();
            here = 0;
        }
        let total = content_length(&response).map(|rest| here + rest);
        let bar = progress_bar(file.name, here, total);
        let mut body = response.body_mut().as_reader();
        let mut chunk = vec![0; CHUNK];
        loop {
            let cut = |cause| FetchError::Cut { name: file.name, received: here, total, cause };
            let read = match body.read(&mut chunk) {
                Ok(0) if total.is_some_and(|total| here < total) => {
                    return Err(cut(io::ErrorKind::UnexpectedEof.into()));
                }
                Ok(0) => break,
                Ok(read) => read,
                Err(cause) if cause.kind() == io::ErrorKind::Interrupted => continue,
                Err(cause) => return Err(cut(cause)),
            };
            part.write_all(&chunk[..read]).map_err(failed)?;
            hash.update(&chunk[..read]);
            here += read as u64;
            bar.set_position(here);
        }
        bar.finish();
        Ok(hex(hash))
    }

    /// Asks for a file from its byte `from` on.
    fn request(&self, file: &PublishedFile, url: &str, from: u64) -> Result<Response<Body>, FetchError> {
        let mut request = self.agent.get(url);
        if from > 0 {
            request = request.header(header::RANGE, format!("bytes={from}-"));
        }
        let response = request.call().map_err(|cause| FetchError::Unreachable {
            url: url.into(),
            cause: Box::new(cause),
            name: file.name,
            folder: self.folder.clone(),
        })?;
        let status = response.status();
        if !status.is_success() && status != StatusCode::RANGE_NOT_SATISFIABLE {
            let (url, folder) = (url.into(), self.folder.clone());
            return Err(FetchError::Refused { url, status, name: file.name, folder });
        }
        Ok(response)
    }
}

/// Bytes that the server says it will send.
fn content_length(response: &Response<Body>) -> Option<u64> {
    response.headers().get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// A progress bar on stderr; nothing where that is not a terminal.
fn progress_bar(name: &'static str, from: u64, total: Option<u64>) -> ProgressBar {
    let bar = total.map_or_else(ProgressBar::no_length, ProgressBar::new);
    let style = "Fetching {msg} {wide_bar} {bytes}/{total_bytes} {bytes_per_sec} {eta}";
    bar.set_style(ProgressStyle::with_template(style).expect("the template above is right"));
    bar.set_message(name);
    bar.set_position(from);
    bar.reset_eta();
    bar
}

/// A hash as hexadecimal digits.
fn hex(hash: Sha256) -> String {
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A hash to be written to.
struct Hashing<'h>(&'h mut Sha256);

impl Write for Hashing<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
