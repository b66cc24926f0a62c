//! The partition table behind the boot code. One bootable entry covers the whole image: BIOSes
//! that look for one before they boot a USB stick as a hard disk then find it.
//!
//! Source: OSDev wiki, "MBR (x86)".
use crate::disk::STAGE1_BYTES;

/// Where the table begins in the boot sector.
pub const TABLE_OFFSET: usize = STAGE1_BYTES;
/// Entries in the table.
pub const ENTRIES: usize = 4;
/// Where the signature stands in the boot sector.
pub const SIGNATURE_OFFSET: usize = 510;
/// The last two bytes of a boot sector.
pub const SIGNATURE: [u8; 2] = [0x55, 0xAA];
/// Marks the entry to boot from.
pub const ACTIVE: u8 = 0x80;
/// Partition type "non-filesystem data".
pub const KIND_NON_FS_DATA: u8 = 0xDA;
/// Cylinder, head and sector of a place that they cannot express: 1023, 254, 63.
pub const CHS_BEYOND: [u8; 3] = [0xFE, 0xFF, 0xFF];

/// One entry of the table: 16 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartitionEntry {
    /// [`ACTIVE`], or 0.
    pub status: u8,
    /// Head, sector (and cylinder's high bits), cylinder of the first sector.
    pub first_chs: [u8; 3],
    /// What the partition holds.
    pub kind: u8,
    /// The same for the last sector.
    pub last_chs: [u8; 3],
    /// First sector.
    pub first_lba: u32,
    /// Number of sectors.
    pub sectors: u32,
}

impl PartitionEntry {
    /// Bytes of an entry.
    pub const BYTES: usize = 16;

    /// The one entry of an image of `image_sectors`: all behind the boot sector.
    pub const fn whole_image(image_sectors: u32) -> Self {
        Self {
            status: ACTIVE,
            first_chs: [0, 2, 0], // the second sector of the first track, whatever the geometry
            kind: KIND_NON_FS_DATA,
            last_chs: CHS_BEYOND,
            first_lba: 1,
            sectors: image_sectors - 1,
        }
    }

    /// The entry as the boot sector holds it.
    pub fn to_bytes(self) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        bytes[0] = self.status;
        bytes[1..4].copy_from_slice(&self.first_chs);
        bytes[4] = self.kind;
        bytes[5..8].copy_from_slice(&self.last_chs);
        bytes[8..12].copy_from_slice(&self.first_lba.to_le_bytes());
        bytes[12..16].copy_from_slice(&self.sectors.to_le_bytes());
        bytes
    }
}

const _: () = assert!(TABLE_OFFSET + ENTRIES * PartitionEntry::BYTES == SIGNATURE_OFFSET);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_covers_the_image() {
        let bytes = PartitionEntry::whole_image(2048).to_bytes();
        assert_eq!(bytes, [0x80, 0, 2, 0, 0xDA, 0xFE, 0xFF, 0xFF, 1, 0, 0, 0, 0xFF, 0x07, 0, 0]);
    }
}
