//! A file in the making: FILE.part, which one process at a time can write.
use std::{
    fs::{self, File, OpenOptions},
    io::{self, Seek, Write},
    path::{Path, PathBuf},
};

use sha2::{Digest, Sha256};

use super::FetchError;

/// An unfinished file and the hash of what it has so far.
pub struct Part {
    file: File,
    path: PathBuf,
    hash: Sha256,
    length: u64,
}

impl Part {
    /// Opens the unfinished file of that name, with what an earlier fetch left of it.
    ///
    /// # Errors
    /// Where it cannot be written, or another process writes it.
    pub fn open(folder: &Path, name: &str) -> Result<Self, FetchError> {
        let path = folder.join(format!("{name}.part"));
        let failed = |cause| FetchError::Write { path: path.clone(), cause };
        fs::create_dir_all(folder).map_err(failed)?;
        let mut file = OpenOptions::new().read(true).append(true).create(true).open(&path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(fs::TryLockError::WouldBlock) => return Err(FetchError::Busy { path }),
            Err(fs::TryLockError::Error(cause)) => return Err(failed(cause)),
        }
        let mut hash = Sha256::new();
        let length = io::copy(&mut file, &mut Hashing(&mut hash)).map_err(failed)?;
        Ok(Self { file, path, hash, length })
    }

    /// Bytes that are here.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Empties the file.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn restart(&mut self) -> Result<(), FetchError> {
        self.file.set_len(0).and_then(|()| self.file.rewind()).map_err(|cause| self.failed(cause))?;
        self.hash = Sha256::new();
        self.length = 0;
        Ok(())
    }

    /// Adds the next bytes.
    ///
    /// # Errors
    /// Where they cannot be written.
    pub fn add(&mut self, bytes: &[u8]) -> Result<(), FetchError> {
        self.file.write_all(bytes).map_err(|cause| self.failed(cause))?;
        self.hash.update(bytes);
        self.length += bytes.len() as u64;
        Ok(())
    }

    /// Takes the file away.
    ///
    /// # Errors
    /// Where that cannot be done.
    pub fn discard(&self) -> Result<(), FetchError> {
        fs::remove_file(&self.path).map_err(|cause| self.failed(cause))
    }

    /// Gives the file its own name where its SHA-256 is the `expected` one, and takes it away where
    /// not. `what` is what the user is told about it.
    ///
    /// # Errors
    /// Where the file is not as expected, or cannot be renamed.
    pub fn finish(self, expected: &'static str, what: String) -> Result<PathBuf, FetchError> {
        let found = hex(self.hash.clone());
        if found != expected {
            self.discard()?;
            return Err(FetchError::Checksum { what, expected, found });
        }
        let done = self.path.with_extension("");
        fs::rename(&self.path, &done).map_err(|cause| FetchError::Write { path: done.clone(), cause })?;
        Ok(done)
    }

    fn failed(&self, cause: io::Error) -> FetchError {
        FetchError::Write { path: self.path.clone(), cause }
    }
}

/// The SHA-256 of all that `reader` has, in hexadecimal.
///
/// # Errors
/// Where it cannot be read.
pub fn sha256(mut reader: impl io::Read) -> io::Result<String> {
    let mut hash = Sha256::new();
    io::copy(&mut reader, &mut Hashing(&mut hash))?;
    Ok(hex(hash))
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
