//! Where things are on the disk, in sectors of 512 bytes from its start (LBA).
//!
//! ```text
//! 0        boot sector: stage1 (446 bytes), partition table, 55 AA
//! 1        kernel: what memory holds from 0x1000 to 0x1FFFF, byte for byte
//! 249      boot settings: `key=value` text
//! 256      packed model, at a multiple of 4 KiB
//!          zeros to a multiple of 1 MiB (a floppy: to 1,474,560 bytes)
//! ```
use crate::low_memory::{KERNEL_CODE, KERNEL_DATA};

/// Bytes in a sector.
pub const SECTOR: u32 = 512;
/// First sector of the kernel.
pub const KERNEL_LBA: u32 = 1;
/// Sectors of the kernel: its data and its code, loaded in one piece from
/// [`KERNEL_DATA`]`.start` on.
pub const KERNEL_SECTORS: u32 = (KERNEL_DATA.size() + KERNEL_CODE.size()) / SECTOR;
/// First sector of the boot settings.
pub const SETTINGS_LBA: u32 = KERNEL_LBA + KERNEL_SECTORS;
/// Sectors of the boot settings: all that is left before the model.
pub const SETTINGS_SECTORS: u32 = MODEL_LBA - SETTINGS_LBA;
/// First sector of the packed model.
pub const MODEL_LBA: u32 = 256;
/// A hard disk image is a multiple of this many bytes: some machines do not boot smaller ones.
pub const IMAGE_ALIGN: u32 = 1 << 20;
/// Bytes of a 1.44 MB floppy: 80 cylinders, 2 heads, 18 sectors.
pub const FLOPPY_BYTES: u32 = 80 * 2 * 18 * SECTOR;
/// Code bytes at the start of the boot sector; the partition table follows.
pub const STAGE1_BYTES: usize = 446;

const _: () = {
    assert!(SETTINGS_LBA < MODEL_LBA, "the kernel grew into the model");
    assert!((MODEL_LBA * SECTOR).is_multiple_of(4096), "the model starts at a multiple of 4 KiB");
};
