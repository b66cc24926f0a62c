//! QEMU's program: the one that is installed, or another one of the user's.
use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use super::{EmulatorError, find};
use crate::child::ChildError;

/// Where a QEMU keeps its firmware, as seen from its program: one that was built and not installed, and one that was
/// unpacked somewhere; Debian has SeaBIOS in a folder of its own.
const DATA: [&str; 3] = ["pc-bios", "../share/qemu", "../share/seabios"];

/// A `qemu-system-x86_64`.
#[derive(Clone, Debug)]
pub struct Program {
    path: PathBuf,
    /// Folders with firmware, where it would not find them itself.
    data: Vec<PathBuf>,
}

impl Program {
    /// The one in PATH.
    ///
    /// # Errors
    /// Where there is none.
    pub fn installed() -> Result<Self, EmulatorError> {
        Ok(Self { path: find("qemu-system-x86_64", "qemu-system-x86")?, data: Vec::new() })
    }

    /// Another one, with the firmware that lies beside it, or else in these folders.
    pub fn at(path: &Path, folders: &[PathBuf]) -> Self {
        let beside = path.parent().unwrap_or(path);
        let mut data: Vec<PathBuf> =
            DATA.iter().map(|folder| beside.join(folder)).filter(|folder| folder.is_dir()).collect();
        data.extend_from_slice(folders);
        // A bare name is a file here, not a program in PATH.
        Self { path: if path.is_absolute() { path.into() } else { Path::new(".").join(path) }, data }
    }

    /// Its command line, with nothing but where its firmware is.
    pub fn command(&self) -> Command {
        let mut command = Command::new(&self.path);
        for folder in &self.data {
            command.args([OsStr::new("-L"), folder.as_os_str()]);
        }
        command
    }

    /// What it answers to one argument or two.
    ///
    /// # Errors
    /// Where it does not start.
    pub fn answer(&self, arguments: &[&str]) -> Result<String, EmulatorError> {
        let asked = Command::new(&self.path).args(arguments).stdin(Stdio::null()).output();
        let program = || self.path.display().to_string();
        let asked = asked.map_err(|cause| ChildError::Start { program: program(), cause })?;
        Ok(String::from_utf8_lossy(&asked.stdout).into_owned())
    }

    /// Its version, as 7.2.22.
    ///
    /// # Errors
    /// Where it does not start, or is no QEMU.
    pub fn version(&self) -> Result<String, EmulatorError> {
        let answer = self.answer(&["--version"])?;
        let version = version(&answer).ok_or_else(|| EmulatorError::NoQemu { program: self.path.clone() })?;
        Ok(version.to_owned())
    }
}

/// The version in the first line of `--version`: `QEMU emulator version 7.2.22 (Debian 1:7.2+dfsg-7)`.
fn version(answer: &str) -> Option<&str> {
    answer.strip_prefix("QEMU emulator version ")?.split_whitespace().next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_the_number() {
        let debian =
            "QEMU emulator version 10.0.2 (Debian 1:10.0.2+ds-2)\nCopyright (c) 2003-2025 Fabrice Bellard\n";
        assert_eq!(version(debian), Some("10.0.2"));
        assert_eq!(version("QEMU emulator version 9.2.0\n"), Some("9.2.0"));
        assert_eq!(version("bash 5.2"), None);
    }

    #[test]
    fn the_firmware_beside_a_program_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        for made in ["bin", "share/qemu"] {
            std::fs::create_dir_all(path(made)).unwrap();
        }
        let program = Program::at(&path("bin/qemu-system-x86_64"), &[path("more")]);
        assert_eq!(program.data, [path("bin/../share/qemu"), path("more")]);
    }
}
