//! The drive that we came from, as a source of sectors.
use loader::sector_source::SectorDisk;
use pc::disk::{Disk, DiskError};

/// The drive.
pub struct BootDisk(pub Disk);

impl SectorDisk for BootDisk {
    type Error = DiskError;

    fn fetch(&mut self, lba: u32, sectors: u32) -> Result<u32, DiskError> {
        self.0.fetch(lba, sectors)
    }

    fn fetched(&self) -> &[u8] {
        self.0.fetched()
    }
}
