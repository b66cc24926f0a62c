//! The BIOS images: SeaBIOS and its VGA BIOS, from the system's package. npm's v86 has none.
use std::{
    fs,
    path::{Path, PathBuf},
};

use sha2::{Digest, Sha256};

use super::{WebError, failed};

/// A BIOS image.
pub struct BiosImage {
    /// Its file in the system's packages.
    pub file: &'static str,
    /// Where the page has it.
    pub page: &'static str,
    /// SHA-256 in Debian's package seabios 1.16.2-1: the version that the page is tested with.
    pub sha256: &'static str,
}

/// The two that a PC needs. The VGA BIOS is the one for the Bochs VBE adapter, which v86 has.
pub const BIOS_IMAGES: [BiosImage; 2] = [
    BiosImage {
        file: "bios.bin",
        page: "bios/bios.bin",
        sha256: "7ba476745bd8d32d66b7a5bd12999e2445e7a345a4a72c30352b1d4a69a26e88",
    },
    BiosImage {
        file: "vgabios-stdvga.bin",
        page: "bios/vgabios.bin",
        sha256: "cc2f735f19b6318922ac3de9506dee498f149a6b75534f7e5c176d4441a7fa4a",
    },
];

/// Where packages put them: Debian's and Fedora's seabios, Fedora's seavgabios, QEMU's own on Arch,
/// Homebrew's.
const FOLDERS: [&str; 5] = [
    "/usr/share/seabios",
    "/usr/share/seavgabios",
    "/usr/share/qemu",
    "/opt/homebrew/share/qemu",
    "/usr/local/share/qemu",
];

/// Reads a BIOS image from `folder`, or from where the system's packages have it. `tell` hears of
/// one that is not the pinned one.
///
/// # Errors
/// Where it is in none of them.
pub fn read(image: &BiosImage, folder: Option<&Path>, tell: impl Fn(&str)) -> Result<Vec<u8>, WebError> {
    let folders: Vec<PathBuf> = match folder {
        Some(folder) => vec![folder.into()],
        None => FOLDERS.map(PathBuf::from).into(),
    };
    let Some(path) = folders.iter().map(|folder| folder.join(image.file)).find(|path| path.is_file()) else {
        let folders: Vec<_> = folders.iter().map(|folder| folder.display().to_string()).collect();
        return Err(WebError::NoBios { file: image.file, folders: folders.join(", ") });
    };
    let bytes = fs::read(&path).map_err(failed(&path))?;
    if sha256(&bytes) != image.sha256 {
        let path = path.display();
        tell(&format!("{path} is not the one of SeaBIOS 1.16.2-1, with which the page was tested."));
    }
    Ok(bytes)
}

/// In hexadecimal.
fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    #[test]
    fn another_bios_is_taken_and_told() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("bios.bin"), b"mine").unwrap();
        let told = Cell::new(false);
        let bytes = read(&BIOS_IMAGES[0], Some(folder.path()), |_| told.set(true)).unwrap();
        assert_eq!((bytes.as_slice(), told.get()), (b"mine".as_slice(), true));
    }

    #[test]
    fn a_missing_bios_says_what_would_help() {
        let folder = tempfile::tempdir().unwrap();
        let error = read(&BIOS_IMAGES[1], Some(folder.path()), |_| ()).unwrap_err().to_string();
        assert!(
            error.contains("no vgabios-stdvga.bin in") && error.contains("apt-get install seabios"),
            "{error}"
        );
    }
}
