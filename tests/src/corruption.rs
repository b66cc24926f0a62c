//! Seeded damage to a disk image: the same seed gives the same flipped bits everywhere.
use std::ops::Range;

use map::{
    disk::{KERNEL_LBA, LOADER_LBA, MODEL_LBA, SECTOR, SETTINGS_LBA, SETTINGS_SECTORS, STAGE1_BYTES},
    program_header::ProgramHeader,
};

/// A part of the image, by what happens when it is damaged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Region {
    /// The boot sector's code: nothing can check it.
    Stage1,
    /// Partition table and signature: nothing of ours reads them.
    PartitionTable,
    /// The data half of the loader's file, up to its stack.
    LoaderData,
    /// Zeros where the loader's stack will be: written before they are read.
    LoaderStack,
    /// The code half of the loader's file, to the last of its sectors.
    LoaderCode,
    /// The same of the kernel's file.
    KernelData,
    /// Zeros where the kernel's stack will be.
    KernelStack,
    /// The code half of the kernel's file.
    KernelCode,
    /// The settings' text and the zeros behind it.
    Settings,
    /// Zeros between settings and model: nothing reads them.
    Gap,
    /// The packed model.
    Model,
    /// Zeros to the end of the image.
    Padding,
}

/// All regions in the order of the disk.
pub const REGIONS: [Region; 12] = [
    Region::Stage1,
    Region::PartitionTable,
    Region::LoaderData,
    Region::LoaderStack,
    Region::LoaderCode,
    Region::KernelData,
    Region::KernelStack,
    Region::KernelCode,
    Region::Settings,
    Region::Gap,
    Region::Model,
    Region::Padding,
];

impl Region {
    /// Where it lies in an undamaged image that holds a packed model of `model` bytes.
    pub fn bytes(self, image: &[u8], model: usize) -> Range<usize> {
        let at = |lba: u32| (lba * SECTOR) as usize;
        // Where a program's stack begins; a file that is none has no data.
        let stack = |lba| {
            let header = image.get(at(lba)..).and_then(ProgramHeader::read);
            at(lba) + header.map_or(0, |header| header.data_bytes as usize)
        };
        let code = |lba| at(lba) + ProgramHeader::CODE_START;
        let model_end = at(MODEL_LBA) + model;
        match self {
            Self::Stage1 => 0..STAGE1_BYTES,
            Self::PartitionTable => STAGE1_BYTES..at(LOADER_LBA),
            Self::LoaderData => at(LOADER_LBA)..stack(LOADER_LBA),
            Self::LoaderStack => stack(LOADER_LBA)..code(LOADER_LBA),
            Self::LoaderCode => code(LOADER_LBA)..at(KERNEL_LBA),
            Self::KernelData => at(KERNEL_LBA)..stack(KERNEL_LBA),
            Self::KernelStack => stack(KERNEL_LBA)..code(KERNEL_LBA),
            Self::KernelCode => code(KERNEL_LBA)..at(SETTINGS_LBA),
            Self::Settings => at(SETTINGS_LBA)..at(SETTINGS_LBA + SETTINGS_SECTORS),
            Self::Gap => at(SETTINGS_LBA + SETTINGS_SECTORS)..at(MODEL_LBA),
            Self::Model => at(MODEL_LBA)..model_end,
            Self::Padding => model_end..image.len(),
        }
    }

    /// Whether every damage to it must be noticed: it has a CRC.
    pub fn checked(self) -> bool {
        matches!(
            self,
            Self::LoaderData
                | Self::LoaderCode
                | Self::KernelData
                | Self::KernelCode
                | Self::Settings
                | Self::Model
        )
    }
}

/// Random numbers that are the same everywhere (Steele, Lea, Flood 2014, "SplitMix64").
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// From a seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Below `bound`, nearly evenly.
    pub fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((u128::from(z ^ (z >> 31)) * bound as u128) >> 64) as usize
    }

    /// A bit somewhere in `range`: byte and bit.
    pub fn bit(&mut self, range: Range<usize>) -> (usize, u8) {
        (range.start + self.below(range.len()), self.below(8) as u8)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_regions_are_the_whole_image() {
        let (mut image, model) = (vec![0; 1 << 20], 500_000);
        let header = ProgramHeader { magic: 0, crc: 0, data_bytes: 0x3000, code_bytes: 0x8000, build: 0 };
        for lba in [LOADER_LBA, KERNEL_LBA] {
            image[(lba * SECTOR) as usize..][..ProgramHeader::BYTES].copy_from_slice(&header.to_bytes());
        }
        let mut end = 0;
        for region in REGIONS {
            let bytes = region.bytes(&image, model);
            assert_eq!(bytes.start, end, "{region:?}");
            end = bytes.end;
        }
        assert_eq!(end, image.len());
    }

    #[test]
    fn a_bit_is_within_the_range_and_repeats() {
        let mut seen = [false; 8];
        for seed in 0..200 {
            let (byte, bit) = Random::new(seed).bit(10..20);
            assert!((10..20).contains(&byte));
            seen[usize::from(bit)] = true;
            assert_eq!(Random::new(seed).bit(10..20), (byte, bit));
        }
        assert_eq!(seen, [true; 8]);
    }
}
