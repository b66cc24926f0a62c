//! The disk image: boot sector, loader, kernel, settings and packed model, where the disk map says.
use std::{
    fs::File,
    io::{self, BufWriter, Seek, SeekFrom, Write},
    path::Path,
};

use map::{
    disk::{FLOPPY_BYTES, IMAGE_ALIGN, KERNEL_LBA, LOADER_LBA, MODEL_LBA, SECTOR, SETTINGS_LBA},
    partition::{PartitionEntry, SIGNATURE, SIGNATURE_OFFSET, TABLE_OFFSET},
};
use protocol::settings::SETTINGS_BYTES;

use crate::{
    beside::{Beside, WriteError},
    machine_code::MachineCode,
};

/// What the image is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Medium {
    /// A hard disk or a USB stick: a multiple of 1 MiB.
    #[default]
    Disk,
    /// A 1.44 MB floppy: 1,474,560 bytes.
    Floppy,
}

/// Why an image was not made. `E` is the error of whoever writes the model.
#[derive(Debug, thiserror::Error)]
pub enum ImageError<E> {
    /// The settings need more room than they have.
    #[error(
        "the settings take {bytes} bytes and there is room for {SETTINGS_BYTES}; a shorter prompt would fit"
    )]
    Settings {
        /// Bytes they take.
        bytes: usize,
    },
    /// The model does not fit a floppy.
    #[error(
        "the image would be {bytes} bytes and a floppy has {FLOPPY_BYTES}; leave out --floppy, or take a smaller model"
    )]
    Floppy {
        /// Bytes with the model.
        bytes: u64,
    },
    /// The model is larger than a BIOS or a partition table can address.
    #[error("the image would be {bytes} bytes, and a partition table counts at most 2^32 sectors of 512")]
    TooLarge {
        /// Bytes with the model.
        bytes: u64,
    },
    /// The image could not be written.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// The model could not be written.
    #[error(transparent)]
    Model(E),
}

/// Writes an image to `path`. It is written beside it and renamed at the end, so that no
/// half-written image is ever there.
///
/// `model` writes the packed model to the file it is given. Returns the image's bytes.
///
/// # Errors
/// Where a part is too large, or the file cannot be written.
pub fn write<E>(
    path: &Path,
    medium: Medium,
    code: &MachineCode,
    settings: &[u8],
    model: impl FnOnce(&mut BufWriter<&mut File>) -> Result<(), E>,
) -> Result<u64, ImageError<E>> {
    let mut beside = Beside::create(path)?;
    let failed = beside.failed();
    let mut file = BufWriter::with_capacity(1 << 20, beside.file());
    let bytes = lay_out(&mut file, medium, code, settings, model, &failed)?;
    file.flush().map_err(&failed)?;
    drop(file);
    beside.file().set_len(bytes).map_err(&failed)?;
    beside.finish()?;
    Ok(bytes)
}

/// Lays the image out in `file`, up to the end of the model, and returns how long the image is to
/// be.
fn lay_out<W: Write + Seek, E>(
    file: &mut W,
    medium: Medium,
    code: &MachineCode,
    settings: &[u8],
    model: impl FnOnce(&mut W) -> Result<(), E>,
    failed: impl Fn(io::Error) -> WriteError,
) -> Result<u64, ImageError<E>> {
    if settings.len() > SETTINGS_BYTES {
        return Err(ImageError::Settings { bytes: settings.len() });
    }
    let at = |lba: u32| SeekFrom::Start(u64::from(lba) * u64::from(SECTOR));
    for (lba, bytes) in
        [(LOADER_LBA, &code.loader.file[..]), (KERNEL_LBA, &code.kernel.file), (SETTINGS_LBA, settings)]
    {
        file.seek(at(lba)).and_then(|_| file.write_all(bytes)).map_err(&failed)?;
    }
    file.seek(at(MODEL_LBA)).map_err(&failed)?;
    model(file).map_err(ImageError::Model)?;
    let end = file.stream_position().map_err(&failed)?;
    let bytes = match medium {
        Medium::Disk => end.next_multiple_of(IMAGE_ALIGN.into()),
        Medium::Floppy if end > FLOPPY_BYTES.into() => return Err(ImageError::Floppy { bytes: end }),
        Medium::Floppy => FLOPPY_BYTES.into(),
    };
    let sectors = u32::try_from(bytes / u64::from(SECTOR)).map_err(|_| ImageError::TooLarge { bytes })?;
    // Last, now that the length is known: an image cut short by a full disk does not boot.
    file.seek(at(0)).and_then(|_| file.write_all(&boot_sector(&code.stage1, sectors))).map_err(&failed)?;
    Ok(bytes)
}

/// The boot sector of an image of `sectors`: code, partition table, signature.
fn boot_sector(stage1: &[u8], sectors: u32) -> [u8; SECTOR as usize] {
    let mut sector = [0; SECTOR as usize];
    sector[..stage1.len()].copy_from_slice(stage1);
    let entry = PartitionEntry::whole_image(sectors).to_bytes();
    sector[TABLE_OFFSET..TABLE_OFFSET + PartitionEntry::BYTES].copy_from_slice(&entry);
    sector[SIGNATURE_OFFSET..].copy_from_slice(&SIGNATURE);
    sector
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::embedded;
    use std::{convert::Infallible, fs};

    fn made(
        medium: Medium,
        settings: &[u8],
        model: &[u8],
    ) -> Result<(Vec<u8>, tempfile::TempDir), ImageError<io::Error>> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("disk.img");
        write(&path, medium, &embedded::machine_code(), settings, |file| file.write_all(model))?;
        Ok((fs::read(path).unwrap(), folder))
    }

    #[test]
    fn each_part_lies_where_the_disk_map_says() {
        let model: Vec<u8> = (0..100_000u32).map(|i| (i % 251) as u8).collect();
        let (image, _) = made(Medium::Disk, b"settings", &model).unwrap();
        let code = embedded::machine_code();
        assert_eq!(image.len(), 1 << 20);
        assert_eq!(image[..code.stage1.len()], code.stage1);
        assert_eq!(image[446], 0x80, "the first partition can be booted");
        assert_eq!(image[510..512], [0x55, 0xAA]);
        assert_eq!(image[512..512 + code.loader.file.len()], code.loader.file);
        assert_eq!(image[249 * 512..249 * 512 + code.kernel.file.len()], code.kernel.file);
        assert_eq!(image[497 * 512..497 * 512 + 8], *b"settings");
        assert_eq!(image[262_144..362_144], model);
        assert!(image[362_144..].iter().all(|&byte| byte == 0));
    }

    #[test]
    fn a_floppy_has_its_own_length_and_its_limit() {
        let (image, _) = made(Medium::Floppy, b"", &[1; 1_000_000]).unwrap();
        assert_eq!(image.len(), 1_474_560);
        let error = made(Medium::Floppy, b"", &[1; 1_400_000]).unwrap_err().to_string();
        assert!(error.contains("1662144 bytes and a floppy has 1474560"), "{error}");
    }

    #[test]
    fn a_disk_grows_by_whole_mebibytes() {
        let (image, _) = made(Medium::Disk, b"", &[1; (1 << 20) - 262_144]).unwrap();
        assert_eq!(image.len(), 1 << 20);
        let (image, _) = made(Medium::Disk, b"", &[1; (1 << 20) - 262_143]).unwrap();
        assert_eq!(image.len(), 2 << 20);
    }

    #[test]
    fn a_failure_leaves_the_old_image_and_nothing_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("disk.img");
        fs::write(&path, b"old").unwrap();
        let code = embedded::machine_code();
        let error = write(&path, Medium::Disk, &code, b"", |_| Err(io::Error::other("model is broken")));
        assert_eq!(error.unwrap_err().to_string(), "model is broken");
        let error = write(&path, Medium::Disk, &code, &[0; 4000], |_| Ok::<_, Infallible>(()));
        assert!(error.unwrap_err().to_string().contains("4000 bytes and there is room for 3584"));
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_folder_that_is_not_there_is_named() {
        let error =
            write(Path::new("/no/such/disk.img"), Medium::Disk, &embedded::machine_code(), b"", |_| {
                Ok::<_, Infallible>(())
            });
        assert!(error.unwrap_err().to_string().starts_with("/no/such/disk.img cannot be written: "));
    }
}
