//! The page that boots disk images in the browser: a folder for any static host.
//!
//! ```text
//! page.json    the page's files with their bytes, and the models
//! index.html … the page's own files (scripts/web/)
//! v86/         the PC emulator, from npm
//! xterm/       the terminal, from npm
//! bios/        SeaBIOS and its VGA BIOS, from the system's package
//! images/      a disk image a model
//! licenses/    the licences of all this
//! ```
//! [`sources`] has the page's own files, [`npm`] and [`bios`] find the rest, [`folder`] puts it all
//! in place, [`serve`] shows it on this computer.
pub mod bios;
pub mod folder;
pub mod images;
pub mod npm;
pub mod serve;
pub mod sources;

use std::{io, path::PathBuf};

/// Why there is no page.
#[derive(Debug, thiserror::Error)]
pub enum WebError {
    /// npm is not installed.
    #[error(
        "the page's emulator comes from npm, which is not installed; install Node.js with npm (Debian: apt-get install nodejs npm), or run scripts/test once with CI=true, which does"
    )]
    NoNpm,
    /// npm failed.
    #[error("'npm ci' could not fetch the page's emulator and terminal ({status}); it said: {said}")]
    Npm {
        /// How it ended.
        status: String,
        /// The end of what it said.
        said: String,
    },
    /// There is no folder to keep npm's packages in.
    #[error("there is no cache folder for the page's emulator, since HOME is not set; set HOME")]
    NoCache,
    /// The BIOS images are not there.
    #[error(
        "there is no {file} in {folders}; install SeaBIOS (Debian: apt-get install seabios), or name its folder by --bios"
    )]
    NoBios {
        /// The image.
        file: &'static str,
        /// Where it was looked for.
        folders: String,
    },
    /// The folder holds something else.
    #[error("{folder} is not empty and holds no page of ours; name a new folder, or empty it")]
    Foreign {
        /// The folder.
        folder: PathBuf,
    },
    /// Two models have one name.
    #[error("two models are called {name}; a page can show each name once")]
    Twice {
        /// Their name.
        name: String,
    },
    /// A file could not be read or written.
    #[error("{path}: {cause}")]
    File {
        /// The file.
        path: PathBuf,
        /// Why not.
        cause: io::Error,
    },
    /// The port cannot be listened on.
    #[error("the page cannot be served on port {port}: {cause}; --port takes another")]
    Port {
        /// The port.
        port: u16,
        /// Why not.
        cause: io::Error,
    },
}

/// For `map_err`: the file at `path` could not be read or written.
fn failed(path: &std::path::Path) -> impl FnOnce(io::Error) -> WebError {
    let path = path.to_path_buf();
    move |cause| WebError::File { path, cause }
}
