//! Files that are there whole or not at all: written beside their place, then renamed.
use std::{
    fs::{File, Permissions},
    io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use tempfile::NamedTempFile;

/// Why a file could not be written.
#[derive(Debug, thiserror::Error)]
#[error("{path} cannot be written: {cause}")]
pub struct WriteError {
    /// The file.
    pub path: PathBuf,
    /// Why not.
    pub cause: io::Error,
}

/// A file in the making. Dropped before [`Beside::finish`], it leaves nothing behind, and what was
/// at its place before stays.
pub struct Beside {
    file: NamedTempFile,
    path: PathBuf,
}

impl Beside {
    /// Begins a file that will be at `path`, in the same folder.
    ///
    /// # Errors
    /// Where nothing can be written there.
    pub fn create(path: &Path) -> Result<Self, WriteError> {
        let folder = match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        let file = tempfile::Builder::new()
            .prefix(".unreallm-")
            .permissions(Permissions::from_mode(0o666)) // less the user's umask
            .tempfile_in(folder)
            .map_err(|cause| WriteError { path: path.into(), cause: plain(cause) })?;
        Ok(Self { file, path: path.into() })
    }

    /// What is written to.
    pub fn file(&mut self) -> &mut File {
        self.file.as_file_mut()
    }

    /// For `map_err`: an error of writing this file.
    pub fn failed(&self) -> impl Fn(io::Error) -> WriteError + use<> {
        let path = self.path.clone();
        move |cause| WriteError { path: path.clone(), cause }
    }

    /// Puts the file in its place.
    ///
    /// # Errors
    /// Where it cannot be renamed.
    pub fn finish(self) -> Result<(), WriteError> {
        let path = self.path;
        self.file.persist(&path).map(drop).map_err(|error| WriteError { path, cause: error.error })
    }
}

/// The system's error without the temporary file's name, which would only puzzle the user.
fn plain(error: io::Error) -> io::Error {
    match error.kind() {
        io::ErrorKind::NotFound => io::Error::new(io::ErrorKind::NotFound, "its folder does not exist"),
        kind => kind.into(),
    }
}
