//! The packed model as a stream of bytes: sectors in large reads, handed on in any sizes.
use map::disk::SECTOR;
use model::source::Source;

/// A disk that is read in runs of sectors.
pub trait SectorDisk {
    /// Why sectors could not be read.
    type Error;

    /// Reads up to `sectors` sectors (at least one) from `lba` on. Returns how many.
    fn fetch(&mut self, lba: u32, sectors: u32) -> Result<u32, Self::Error>;

    /// What the last [`Self::fetch`] read.
    fn fetched(&self) -> &[u8];
}

/// Bytes from the start of a sector on.
pub struct SectorSource<'d, D> {
    disk: &'d mut D,
    /// The next sector to fetch.
    lba: u32,
    /// Sectors that may still be fetched.
    left: u32,
    /// How much of what was fetched has been handed on.
    taken: usize,
    /// How much was fetched.
    filled: usize,
}

/// Sectors that are read before it is known how many there are: the header's.
const FIRST_SECTORS: u32 = 8;

impl<'d, D: SectorDisk> SectorSource<'d, D> {
    /// From sector `lba` on.
    pub fn new(disk: &'d mut D, lba: u32) -> Self {
        Self { disk, lba, left: u32::MAX, taken: 0, filled: 0 }
    }

    /// Says how many bytes there are, counted from where the source began at sector `first`: nothing
    /// beyond them is read, as the disk may end there. Before, few sectors are read at a time.
    pub fn set_length(&mut self, first: u32, bytes: u64) {
        let sectors = u32::try_from(bytes.div_ceil(SECTOR.into())).unwrap_or(u32::MAX);
        self.left = sectors.saturating_sub(self.lba - first);
    }

    fn refill(&mut self) -> Result<(), D::Error> {
        // Past the length that was set the reader is wrong; one sector more shows it as damage.
        let most = if self.left == u32::MAX { FIRST_SECTORS } else { self.left.max(1) };
        let sectors = self.disk.fetch(self.lba, most)?;
        self.lba += sectors;
        if self.left != u32::MAX {
            self.left = self.left.saturating_sub(sectors);
        }
        self.taken = 0;
        self.filled = (sectors * SECTOR) as usize;
        Ok(())
    }
}

impl<D: SectorDisk> Source for SectorSource<'_, D> {
    type Error = D::Error;

    fn read(&mut self, mut out: &mut [u8]) -> Result<(), D::Error> {
        while !out.is_empty() {
            if self.taken == self.filled {
                self.refill()?;
            }
            let ready = &self.disk.fetched()[self.taken..self.filled];
            let count = ready.len().min(out.len());
            let (now, later) = out.split_at_mut(count);
            now.copy_from_slice(&ready[..count]);
            self.taken += count;
            out = later;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::vec::Vec;

    /// A disk whose every byte tells where it is; it ends somewhere, and reads few sectors at once.
    struct Counting {
        sectors: u32,
        most: u32,
        buffer: Vec<u8>,
    }

    fn byte(at: usize) -> u8 {
        (at * 7 + at / 256) as u8
    }

    impl SectorDisk for Counting {
        type Error = u32;

        fn fetch(&mut self, lba: u32, sectors: u32) -> Result<u32, u32> {
            let sectors = sectors.min(self.most);
            if lba + sectors > self.sectors {
                return Err(lba);
            }
            let start = (lba * SECTOR) as usize;
            self.buffer = (start..start + (sectors * SECTOR) as usize).map(byte).collect();
            Ok(sectors)
        }

        fn fetched(&self) -> &[u8] {
            &self.buffer
        }
    }

    fn disk(sectors: u32, most: u32) -> Counting {
        Counting { sectors, most, buffer: Vec::new() }
    }

    #[test]
    fn reads_of_all_sizes_join() {
        for most in [1, 3, 127] {
            let mut disk = disk(500, most);
            let mut source = SectorSource::new(&mut disk, 10);
            let mut at = 10 * SECTOR as usize;
            for (step, size) in [1, 128, 0, 511, 4096, 100_000, 3].into_iter().enumerate() {
                let mut out = std::vec![0; size];
                assert_eq!(source.read(&mut out), Ok(()));
                assert!(out.iter().enumerate().all(|(i, &value)| value == byte(at + i)));
                at += size;
                if step == 1 {
                    source.set_length(10, 490 * u64::from(SECTOR));
                }
            }
        }
    }

    #[test]
    fn nothing_beyond_the_length_is_read() {
        let mut disk = disk(30, 127);
        let mut source = SectorSource::new(&mut disk, 10);
        assert_eq!(source.read(&mut [0; 100]), Ok(()));
        source.set_length(10, 20 * u64::from(SECTOR) - 5);
        assert_eq!(source.read(&mut [0; 20 * SECTOR as usize - 105]), Ok(()));
    }

    #[test]
    fn an_error_names_the_sector() {
        let mut disk = disk(30, 1);
        let mut source = SectorSource::new(&mut disk, 28);
        assert_eq!(source.read(&mut [0; 2 * SECTOR as usize + 1]), Err(30));
    }
}
