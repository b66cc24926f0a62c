//! Where things are on the disk, in sectors of 512 bytes from its start (LBA).
//!
//! ```text
//! 0        boot sector: stage1 (446 bytes), partition table, 55 AA
//! 1        loader: what memory holds from 0x1000 to 0x1FFFF, byte for byte
//! 249      kernel: the same memory, after the loader has put the kernel in its own place
//! 497      boot settings: `key=value` text
//! 512      packed model, at a multiple of 4 KiB
//!          zeros to a multiple of 1 MiB (a floppy: to 1,474,560 bytes)
//! ```
use crate::low_memory::{PROGRAM_CODE, PROGRAM_DATA};

/// Bytes in a sector.
pub const SECTOR: u32 = 512;
/// Sectors of a program, the loader or the kernel: its data and its code in one piece.
pub const PROGRAM_SECTORS: u32 = (PROGRAM_DATA.size() + PROGRAM_CODE.size()) / SECTOR;
/// First sector of the loader, which the boot sector loads.
pub const LOADER_LBA: u32 = 1;
/// First sector of the kernel, which the loader loads.
pub const KERNEL_LBA: u32 = LOADER_LBA + PROGRAM_SECTORS;
/// First sector of the boot settings.
pub const SETTINGS_LBA: u32 = KERNEL_LBA + PROGRAM_SECTORS;
/// Sectors of the boot settings.
pub const SETTINGS_SECTORS: u32 = 7;
/// First sector of the packed model.
pub const MODEL_LBA: u32 = 512;
/// A hard disk image is a multiple of this many bytes: some machines do not boot smaller ones.
pub const IMAGE_ALIGN: u32 = 1 << 20;
/// Bytes of a 1.44 MB floppy: 80 cylinders, 2 heads, 18 sectors.
pub const FLOPPY_BYTES: u32 = 80 * 2 * 18 * SECTOR;
/// Code bytes at the start of the boot sector; the partition table follows.
pub const STAGE1_BYTES: usize = 446;

const _: () = {
    assert!(SETTINGS_LBA + SETTINGS_SECTORS <= MODEL_LBA, "the settings grew into the model");
    assert!((MODEL_LBA * SECTOR).is_multiple_of(4096), "the model starts at a multiple of 4 KiB");
};
