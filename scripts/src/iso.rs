//! A CD that boots: an ISO 9660 file system whose one big file is the disk image, and an El Torito
//! boot record that tells the BIOS to show that file as the first hard disk.
//!
//! A CD has sectors of 2048 bytes. With hard-disk emulation INT 13h gives out the image in sectors of
//! 512 bytes, as on a disk, so that the boot sector is the same everywhere.
//!
//! ```text
//! sector 16   primary volume descriptor
//!        17   boot record: where the boot catalog is
//!        18   end of the descriptors
//!        19   path table, little-endian
//!        20   path table, big-endian
//!        21   root folder
//!        22   boot catalog
//!        23   the disk image: UNREALLM.IMG
//! ```
//! Sources: ECMA-119 (ISO 9660); "El Torito" Bootable CD-ROM Format Specification 1.0 (1995).
use std::io::{self, Read, Write};

/// Bytes of a CD's sector.
const SECTOR: usize = 2048;
/// ECMA-119 6.2.1: the first 16 sectors are the system's.
const SYSTEM_AREA: usize = 16;
const PATH_TABLE_LITTLE: u32 = 19;
const PATH_TABLE_BIG: u32 = 20;
const ROOT: u32 = 21;
const CATALOG: u32 = 22;
const IMAGE: u32 = 23;
/// Bytes of the path table: its only entry is the root folder.
const PATH_TABLE_BYTES: u32 = 10;
/// The disk image's name.
const IMAGE_NAME: &[u8] = b"UNREALLM.IMG;1";
/// Names of a folder itself and of its parent (ECMA-119 7.6.2).
const SELF: &[u8] = &[0];
const PARENT: &[u8] = &[1];
/// File flags (ECMA-119 9.1.6): a file, and a folder.
const FILE: u8 = 0;
const FOLDER: u8 = 2;
/// Types of volume descriptors (ECMA-119 8.1.1).
const BOOT_RECORD: u8 = 0;
const PRIMARY: u8 = 1;
const TERMINATOR: u8 = 255;
/// El Torito 2.2: "bootable".
const BOOTABLE: u8 = 0x88;
/// El Torito 2.2: hard-disk emulation.
const HARD_DISK: u8 = 4;
/// Where the partition's kind stands in a boot sector: El Torito wants it in the catalog too.
const PARTITION_KIND: usize = 446 + 4;
/// The longest file that one extent describes.
pub const LONGEST: u64 = u32::MAX as u64;

/// Writes a CD with a disk image of `bytes`. Returns the CD's bytes.
///
/// # Errors
/// Where the image cannot be read or the CD not be written; an image longer than [`LONGEST`].
pub fn write(mut image: impl Read, bytes: u64, out: &mut impl Write) -> io::Result<u64> {
    let length = u32::try_from(bytes).map_err(|_| io::Error::other("a CD's file has at most 4 GB"))?;
    let image_sectors = length.div_ceil(SECTOR as u32);
    let sectors = IMAGE + image_sectors;
    let mut boot_sector = [0; 512];
    image.read_exact(&mut boot_sector)?;

    out.write_all(&[0; SYSTEM_AREA * SECTOR])?;
    out.write_all(&primary(sectors))?;
    out.write_all(&boot_record())?;
    out.write_all(&sector_of(&[descriptor(TERMINATOR)]))?;
    out.write_all(&path_table(ROOT.to_le_bytes(), 1u16.to_le_bytes()))?;
    out.write_all(&path_table(ROOT.to_be_bytes(), 1u16.to_be_bytes()))?;
    let folder = |name| record(name, ROOT, SECTOR as u32, FOLDER);
    let file = record(IMAGE_NAME, IMAGE, length, FILE);
    out.write_all(&sector_of(&[folder(SELF), folder(PARENT), file]))?;
    out.write_all(&catalog(boot_sector[PARTITION_KIND]))?;
    out.write_all(&boot_sector)?;
    io::copy(&mut image, out)?;
    let padding = image_sectors as usize * SECTOR - length as usize;
    out.write_all(&vec![0; padding])?;
    Ok(u64::from(sectors) * SECTOR as u64)
}

/// Pieces one after the other, then zeros up to a whole sector.
fn sector_of(pieces: &[Vec<u8>]) -> Vec<u8> {
    let mut sector = pieces.concat();
    sector.resize(SECTOR, 0);
    sector
}

/// What each volume descriptor begins with (ECMA-119 8.1).
fn descriptor(kind: u8) -> Vec<u8> {
    [&[kind], b"CD001".as_slice(), &[1]].concat()
}

/// A number in both byte orders (ECMA-119 7.3.3).
fn both(number: u32) -> [u8; 8] {
    let mut bytes = [0; 8];
    bytes[..4].copy_from_slice(&number.to_le_bytes());
    bytes[4..].copy_from_slice(&number.to_be_bytes());
    bytes
}

/// The same for 16 bits (ECMA-119 7.2.3).
fn both16(number: u16) -> [u8; 4] {
    let ([a, b], [c, d]) = (number.to_le_bytes(), number.to_be_bytes());
    [a, b, c, d]
}

/// The primary volume descriptor (ECMA-119 8.4).
fn primary(sectors: u32) -> Vec<u8> {
    let mut sector = sector_of(&[descriptor(PRIMARY)]);
    let mut put = |at: usize, bytes: &[u8]| sector[at..at + bytes.len()].copy_from_slice(bytes);
    put(8, &[b' '; 32]); // system
    put(40, &[b' '; 32]);
    put(40, b"UNREALLM"); // volume
    put(80, &both(sectors));
    put(120, &both16(1)); // volumes in the set
    put(124, &both16(1)); // this one
    put(128, &both16(SECTOR as u16));
    put(132, &both(PATH_TABLE_BYTES));
    put(140, &PATH_TABLE_LITTLE.to_le_bytes());
    put(148, &PATH_TABLE_BIG.to_be_bytes());
    put(156, &record(SELF, ROOT, SECTOR as u32, FOLDER));
    put(190, &[b' '; 623]); // names of set, publisher, preparer, program and files
    for date in [813, 830, 847, 864] {
        put(date, &[b'0'; 16]); // not specified (ECMA-119 8.4.26.1)
    }
    put(881, &[1]); // version of the file structure
    sector
}

/// The boot record (El Torito, figure 7): where the boot catalog is.
fn boot_record() -> Vec<u8> {
    let mut system = b"EL TORITO SPECIFICATION".to_vec();
    system.resize(64, 0); // boot system identifier, and one that is not used
    sector_of(&[descriptor(BOOT_RECORD), system, CATALOG.to_le_bytes().to_vec()])
}

/// A path table with the root folder alone (ECMA-119 9.4).
fn path_table(root: [u8; 4], parent: [u8; 2]) -> Vec<u8> {
    sector_of(&[vec![1, 0], root.to_vec(), parent.to_vec(), vec![0, 0]])
}

/// A file or folder as its folder describes it (ECMA-119 9.1).
fn record(name: &[u8], first: u32, bytes: u32, flags: u8) -> Vec<u8> {
    /// Bytes before the name.
    const FIXED: usize = 33;
    let length = (FIXED + name.len()).next_multiple_of(2);
    let mut record = vec![length as u8, 0];
    record.extend(both(first));
    record.extend(both(bytes));
    record.extend([0; 7]); // no date
    record.extend([flags, 0, 0]);
    record.extend(both16(1)); // volume
    record.push(name.len() as u8);
    record.extend(name);
    record.resize(length, 0);
    record
}

/// The boot catalog (El Torito, figures 2 and 3): the validation entry, and one image that the BIOS
/// shows as a hard disk and whose first 512 bytes it runs.
fn catalog(partition_kind: u8) -> Vec<u8> {
    let mut validation = vec![0; 32];
    validation[0] = 1;
    validation[4..12].copy_from_slice(b"unreallm");
    validation[30..].copy_from_slice(&[0x55, 0xAA]);
    let words = validation.chunks_exact(2).map(|word| u16::from_le_bytes([word[0], word[1]]));
    let sum = words.fold(0, u16::wrapping_add);
    validation[28..30].copy_from_slice(&sum.wrapping_neg().to_le_bytes());
    let mut entry = vec![BOOTABLE, HARD_DISK, 0, 0, partition_kind, 0];
    entry.extend(1u16.to_le_bytes()); // sectors of 512 bytes to load at 7C00h
    entry.extend(IMAGE.to_le_bytes());
    sector_of(&[validation, entry])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cd() -> (Vec<u8>, Vec<u8>) {
        let mut image: Vec<u8> = (0..5000u32).map(|i| (i % 249) as u8).collect();
        image[PARTITION_KIND] = 0xDA;
        let mut cd = Vec::new();
        let bytes = write(image.as_slice(), image.len() as u64, &mut cd).unwrap();
        assert_eq!(bytes, cd.len() as u64);
        (cd, image)
    }

    fn word(bytes: &[u8], at: usize) -> usize {
        u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()) as usize
    }

    #[test]
    fn a_bios_finds_the_image() {
        let (cd, image) = cd();
        let boot_record = &cd[17 * SECTOR..18 * SECTOR];
        assert_eq!(boot_record[..30], *b"\0CD001\x01EL TORITO SPECIFICATION");
        let catalog = &cd[word(boot_record, 71) * SECTOR..][..SECTOR];
        let sum =
            catalog[..32].chunks(2).fold(0u16, |sum, w| sum.wrapping_add(u16::from_le_bytes([w[0], w[1]])));
        assert_eq!(sum, 0);
        assert_eq!(catalog[32..38], [0x88, 4, 0, 0, 0xDA, 0]);
        assert_eq!(cd[word(catalog, 40) * SECTOR..][..image.len()], image);
    }

    #[test]
    fn a_reader_finds_the_file() {
        let (cd, image) = cd();
        let primary = &cd[16 * SECTOR..17 * SECTOR];
        assert_eq!(primary[..7], *b"\x01CD001\x01");
        assert_eq!(word(primary, 80) * SECTOR, cd.len());
        let root = &cd[word(primary, 156 + 2) * SECTOR..][..SECTOR];
        let mut at = 0;
        let mut names = Vec::new();
        while root[at] != 0 {
            let record = &root[at..at + usize::from(root[at])];
            let name = &record[33..33 + usize::from(record[32])];
            if name == IMAGE_NAME {
                assert_eq!(cd[word(record, 2) * SECTOR..][..word(record, 10)], image);
            }
            names.push(name);
            at += record.len();
        }
        assert_eq!(names, [SELF, PARENT, IMAGE_NAME]);
    }
}
