//! What a file holds: a checkpoint, a packed model or a disk image.
pub mod gguf;

use std::{
    fs::File,
    io::{self, BufReader, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
};

use map::{
    disk::{FLOPPY_BYTES, IMAGE_ALIGN, KERNEL_LBA, LOADER_LBA, MODEL_LBA, SECTOR, SETTINGS_LBA},
    partition::{SIGNATURE, SIGNATURE_OFFSET},
    program_header::{self, ProgramHeader},
};
use model::{
    crc32::crc32_of,
    host::{
        checkpoint::{Checkpoint, CheckpointError},
        foreign::Foreign,
        gguf::GgufError,
        packed::Reader,
    },
    packed::{MAGIC, Packed, PackedError, PackedHeader},
    shape::Shape,
};
use protocol::settings::{SETTINGS_BYTES, Settings, SettingsError};

use crate::machine_code::PROGRAM_BYTES;
use gguf::GgufContents;

/// What is in a file.
#[derive(Debug)]
pub enum Contents {
    /// A llama2.c checkpoint.
    Checkpoint {
        /// Its shape.
        shape: Shape,
        /// Its length.
        bytes: u64,
    },
    /// A GGUF.
    Gguf(Box<GgufContents>),
    /// A packed model.
    Packed(PackedHeader),
    /// A disk image.
    Image(ImageContents),
}

/// What is in a disk image.
#[derive(Debug)]
pub struct ImageContents {
    /// Its length.
    pub bytes: u64,
    /// The loader's header.
    pub loader: ProgramHeader,
    /// The kernel's header.
    pub kernel: ProgramHeader,
    /// The boot settings.
    pub settings: Settings,
    /// The packed model's header.
    pub model: PackedHeader,
}

/// Why a file cannot be described.
#[derive(Debug, thiserror::Error)]
pub enum InspectError {
    /// It cannot be read.
    #[error("{path} cannot be read: {cause}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why not.
        cause: io::Error,
    },
    /// It ends too early for what it is.
    #[error("{path} is cut short: it has {found} bytes, and {part} ends at {needed}; write it again")]
    Short {
        /// The file.
        path: PathBuf,
        /// What it should hold.
        part: &'static str,
        /// Where that ends.
        needed: u64,
        /// Bytes there are.
        found: u64,
    },
    /// Its loader or its kernel is damaged.
    #[error("{path}: {program} is damaged (CRC {}, expected {expected:08x}); write the image again", found.map_or("of no known range".into(), |found| format!("{found:08x}")))]
    Program {
        /// The file.
        path: PathBuf,
        /// Which of the two.
        program: &'static str,
        /// What its header says.
        expected: u32,
        /// What it has; none where its lengths lie.
        found: Option<u32>,
    },
    /// Its kernel was built together with another loader.
    #[error(
        "{path}: the kernel belongs to the loader {expected:08x}, and the loader is {found:08x}; write the image again"
    )]
    Build {
        /// The file.
        path: PathBuf,
        /// The CRC of the loader that the kernel names.
        expected: u32,
        /// The CRC of the loader that is there.
        found: u32,
    },
    /// Its settings are damaged.
    #[error("{path}: {cause}")]
    Settings {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        cause: SettingsError,
    },
    /// Its model is damaged.
    #[error("{path}: {cause}")]
    Packed {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        cause: PackedError<io::Error>,
    },
    /// It is a checkpoint that cannot be used, or something else that is known.
    #[error("{path}: {cause}")]
    Checkpoint {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, or what it is.
        cause: CheckpointError,
    },
    /// It is a GGUF whose header cannot be read.
    #[error("{path}: {cause}")]
    Gguf {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        cause: GgufError,
    },
    /// It is nothing that is known.
    #[error("{path} is no disk image of this project and no packed model, and as a checkpoint: {cause}")]
    Unknown {
        /// The file.
        path: PathBuf,
        /// Why it is no checkpoint.
        cause: CheckpointError,
    },
}

/// Looks into a file, and checks every checksum in it.
///
/// # Errors
/// Where it is unknown, damaged or cut short.
pub fn inspect(path: &Path) -> Result<Contents, InspectError> {
    let failed = |cause| InspectError::Read { path: path.into(), cause };
    let mut file = BufReader::with_capacity(1 << 20, File::open(path).map_err(failed)?);
    let mut start = Vec::new();
    file.by_ref().take(u64::from(SECTOR) + 4).read_to_end(&mut start).map_err(failed)?;
    let bytes = file.seek(SeekFrom::End(0)).map_err(failed)?;
    file.rewind().map_err(failed)?;
    if start.starts_with(&MAGIC) {
        return packed(path, &mut file, bytes, 0).map(Contents::Packed);
    }
    if is_image(&start) {
        return image(path, &mut file, bytes).map(Contents::Image);
    }
    if Foreign::of(&start) == Some(Foreign::Gguf) {
        let contents = GgufContents::read(path, file).map(Box::new).map(Contents::Gguf);
        return contents.map_err(|cause| InspectError::Gguf { path: path.into(), cause });
    }
    match Checkpoint::open(file) {
        Ok(checkpoint) => Ok(Contents::Checkpoint { shape: checkpoint.shape(), bytes }),
        Err(
            cause @ (CheckpointError::Header { .. }
            | CheckpointError::Foreign(Foreign::Unknown(_) | Foreign::Disk)),
        ) => Err(InspectError::Unknown { path: path.into(), cause }),
        Err(cause) => Err(InspectError::Checkpoint { path: path.into(), cause }),
    }
}

/// Whether a file that starts like this is one of our disk images: a boot sector, then our loader.
fn is_image(start: &[u8]) -> bool {
    let magic = start.get((LOADER_LBA * SECTOR) as usize..);
    start.get(SIGNATURE_OFFSET..).is_some_and(|end| end.starts_with(&SIGNATURE))
        && magic.is_none_or(|magic| program_header::MAGIC.to_le_bytes().starts_with(magic))
}

/// A packed model at `offset`, its payload's CRC checked by loading it.
fn packed(
    path: &Path,
    file: &mut BufReader<File>,
    bytes: u64,
    offset: u64,
) -> Result<PackedHeader, InspectError> {
    let damaged = |cause| InspectError::Packed { path: path.into(), cause };
    let short = |part, needed| InspectError::Short { path: path.into(), part, needed, found: bytes };
    file.seek(SeekFrom::Start(offset)).map_err(|cause| InspectError::Read { path: path.into(), cause })?;
    let mut source = Reader(file);
    let header = PackedHeader::read(&mut source).map_err(|cause| match cause {
        PackedError::Read(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            short("the model's header", offset + u64::from(PackedHeader::bytes_for(1)))
        }
        cause => damaged(cause),
    })?;
    let needed = offset + header.packed_bytes();
    if bytes < needed {
        return Err(short("the model", needed));
    }
    let packed = Packed::read_payload(header, &mut source).map_err(damaged)?;
    packed.check().map_err(damaged)?;
    Ok(packed.header)
}

/// A disk image: each part in the order of the disk.
fn image(path: &Path, file: &mut BufReader<File>, bytes: u64) -> Result<ImageContents, InspectError> {
    let at = |lba: u32| u64::from(lba) * u64::from(SECTOR);
    let mut part = |name, lba, length: usize| {
        let needed = at(lba) + length as u64;
        if bytes < needed {
            return Err(InspectError::Short { path: path.into(), part: name, needed, found: bytes });
        }
        let mut part = vec![0; length];
        let read = file.seek(SeekFrom::Start(at(lba))).and_then(|_| file.read_exact(&mut part));
        read.map(|()| part).map_err(|cause| InspectError::Read { path: path.into(), cause })
    };
    let programs = [("the loader", LOADER_LBA), ("the kernel", KERNEL_LBA)];
    let [loader, kernel] = programs.map(|(name, lba)| Ok((name, part(name, lba, PROGRAM_BYTES)?)));
    let settings = part("the boot settings", SETTINGS_LBA, SETTINGS_BYTES)?;
    let [loader, kernel] = [loader?, kernel?].map(|(program, bytes)| {
        let header = ProgramHeader::read(&bytes);
        let found = header.and_then(|header| Some(crc32_of(&header.covered(&bytes)?)));
        let expected = header.map_or(0, |header| header.crc);
        let intact = header.filter(|header| found == Some(header.crc));
        intact.ok_or_else(|| InspectError::Program { path: path.into(), program, expected, found })
    });
    let (loader, kernel) = (loader?, kernel?);
    let (expected, found) = (kernel.build, loader.crc);
    if expected != found {
        return Err(InspectError::Build { path: path.into(), expected, found });
    }
    let settings =
        Settings::parse(&settings).map_err(|cause| InspectError::Settings { path: path.into(), cause })?;
    let model = packed(path, file, bytes, at(MODEL_LBA))?;
    if bytes != u64::from(FLOPPY_BYTES) && !bytes.is_multiple_of(IMAGE_ALIGN.into()) {
        let needed = bytes.next_multiple_of(IMAGE_ALIGN.into());
        return Err(InspectError::Short { path: path.into(), part: "its padding", needed, found: bytes });
    }
    Ok(ImageContents { bytes, loader, kernel, settings, model })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        embedded,
        image::{self, Medium},
        models::{Folders, built_in},
        packing::PackInput,
    };
    use std::fs;

    /// A disk image of the built-in model, and where it ends.
    fn built() -> (Vec<u8>, tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("disk.img");
        let settings = Settings { prompt: "One day".into(), ..Settings::default() }.to_sectors().unwrap();
        let mut input = PackInput::open(&built_in(), None, None, &Folders::new(Vec::new())).unwrap();
        image::write(&path, Medium::Disk, &embedded::machine_code(), &settings, |file| {
            input.pack_into(model::engine::EngineKind::Int8, file).map(drop)
        })
        .unwrap();
        (fs::read(&path).unwrap(), folder, path)
    }

    #[test]
    fn an_image_holds_what_was_put_in() {
        let (bytes, _folder, path) = built();
        assert_eq!(bytes.len(), 1 << 20, "the 260K shape makes an image of exactly 1 MiB");
        let Ok(Contents::Image(image)) = inspect(&path) else { panic!("not an image") };
        assert_eq!(image.settings.prompt, "One day");
        assert_eq!(image.model.name, "bedtime260K");
        assert_eq!(image.model.shape, Shape::STORIES260K);
    }

    #[test]
    fn an_image_cut_short_is_said_wherever_it_is_cut() {
        let (bytes, _folder, path) = built();
        for at in (516..bytes.len()).step_by(bytes.len() / 40).chain([bytes.len() - 1]) {
            fs::write(&path, &bytes[..at]).unwrap();
            let error = inspect(&path).unwrap_err();
            assert!(matches!(error, InspectError::Short { .. }), "cut at {at}: {error}");
            assert!(error.to_string().contains(&format!("cut short: it has {at} bytes")), "{error}");
        }
    }

    #[test]
    fn damage_is_said_part_by_part() {
        let (bytes, _folder, path) = built();
        for (lba, into, what) in [
            (LOADER_LBA, 0x100, "loader"),
            (KERNEL_LBA, 0x100, "kernel"),
            (SETTINGS_LBA, 60, "settings"),
            (MODEL_LBA, 90_000, "model"),
        ] {
            let mut damaged = bytes.clone();
            damaged[(lba * SECTOR) as usize + into] ^= 4;
            fs::write(&path, &damaged).unwrap();
            let error = inspect(&path).unwrap_err().to_string();
            assert!(error.contains(what) && error.contains("damaged"), "{error}");
        }
    }

    #[test]
    fn a_kernel_of_another_build_is_said() {
        let (bytes, _folder, path) = built();
        let mut kernel = embedded::machine_code().kernel;
        kernel.seal(ProgramHeader { build: 0x1234, ..kernel.header() }).unwrap();
        let mut mixed = bytes;
        mixed[(KERNEL_LBA * SECTOR) as usize..][..PROGRAM_BYTES].copy_from_slice(&kernel.file);
        fs::write(&path, &mixed).unwrap();
        let error = inspect(&path).unwrap_err().to_string();
        assert!(error.contains("the kernel belongs to the loader 00001234, and"), "{error}");
    }

    #[test]
    fn checkpoints_are_known_and_other_files_are_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("some.bin");
        fs::write(&path, embedded::CHECKPOINT).unwrap();
        let Ok(Contents::Checkpoint { shape, bytes: 1_056_540 }) = inspect(&path) else { panic!() };
        assert_eq!(shape, Shape::STORIES260K);
        let foreign: [(&[u8], &str); 3] = [
            (b"#!/bin/sh\necho this is a script, no model\n", "this is a text, not a model"),
            (b"", "the file is empty"),
            (&[0xFF; 4096], "is no disk image of this project and no packed model"),
        ];
        for (bytes, wanted) in foreign {
            fs::write(&path, bytes).unwrap();
            let error = inspect(&path).unwrap_err().to_string();
            assert!(error.contains(wanted), "{error}");
        }
    }
}
