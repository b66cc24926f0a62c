//! The packages from npm: fetched once by `npm ci`, at the versions and with the contents that
//! package-lock.json pins, and kept in the user's cache folder.
use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use crc::{CRC_32_ISO_HDLC, Crc};

use super::{
    WebError, failed,
    sources::{PACKAGES, PageFile},
};
use crate::models;

/// What the page takes: a file under node_modules, and where the page has it.
pub const FILES: &[(&str, &str)] = &[
    ("v86/build/libv86.mjs", "v86/libv86.mjs"),
    ("v86/build/v86.wasm", "v86/v86.wasm"),
    ("v86/LICENSE", "licenses/v86.txt"),
    ("@xterm/xterm/lib/xterm.mjs", "xterm/xterm.mjs"),
    ("@xterm/xterm/css/xterm.css", "xterm/xterm.css"),
    ("@xterm/xterm/LICENSE", "licenses/xterm.txt"),
    ("@xterm/addon-fit/lib/addon-fit.mjs", "xterm/addon-fit.mjs"),
    ("@xterm/addon-fit/LICENSE", "licenses/xterm-addon-fit.txt"),
];

/// The folder node_modules with the page's packages, fetched now if it is not there yet.
///
/// # Errors
/// Where npm is missing or fails, or nothing can be kept.
pub fn modules() -> Result<PathBuf, WebError> {
    let cache = models::cache().ok_or(WebError::NoCache)?;
    // A folder for each state of the pinned versions: an old one is never taken for a new one.
    let pinned = PACKAGES.iter().fold(Vec::new(), |all, (_, bytes)| [&all, *bytes].concat());
    let place = cache.join(format!("web-{:08x}", Crc::<u32>::new(&CRC_32_ISO_HDLC).checksum(&pinned)));
    if !place.is_dir() {
        fetch(&cache, &place)?;
    }
    Ok(place.join("node_modules"))
}

/// Runs `npm ci` beside `place`, and renames: what is there is complete.
fn fetch(cache: &Path, place: &Path) -> Result<(), WebError> {
    let npm = which::which("npm").map_err(|_| WebError::NoNpm)?;
    fs::create_dir_all(cache).map_err(failed(cache))?;
    let beside = tempfile::Builder::new().prefix("web-").tempdir_in(cache).map_err(failed(cache))?;
    for (name, bytes) in PACKAGES as &[PageFile] {
        let path = beside.path().join(name);
        fs::write(&path, bytes).map_err(failed(&path))?;
    }
    let done = Command::new(npm)
        .args(["ci", "--omit=dev", "--ignore-scripts"])
        .current_dir(beside.path())
        .stdin(Stdio::null())
        .output()
        .map_err(failed(Path::new("npm")))?;
    if !done.status.success() {
        let said = String::from_utf8_lossy(&done.stderr);
        let said = said.lines().filter(|line| line.starts_with("npm error")).take(3).collect::<Vec<_>>();
        return Err(WebError::Npm { status: done.status.to_string(), said: said.join("; ") });
    }
    let beside = beside.keep();
    match fs::rename(&beside, place) {
        // Another run was faster: what it fetched is the same.
        Err(_) if place.is_dir() => fs::remove_dir_all(&beside).map_err(failed(&beside)),
        renamed => renamed.map_err(failed(place)),
    }
}
