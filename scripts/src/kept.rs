//! What the cache keeps of a model's file, by the file's hash.
use std::{
    fs::File,
    path::{Path, PathBuf},
};

use crate::{fetch::sha256, models};

/// Where the outcomes for a file are kept.
pub struct Kept {
    cache: PathBuf,
    /// The file's SHA-256.
    hash: String,
}

impl Kept {
    /// For a file; `None` where it cannot be read, or there is no cache.
    pub fn of(file: &Path) -> Option<Self> {
        Some(Self { cache: models::cache()?, hash: sha256(File::open(file).ok()?).ok()? })
    }

    /// The place of an outcome of this kind.
    pub fn place(&self, kind: &str) -> PathBuf {
        self.cache.join(kind).join(&self.hash)
    }
}
