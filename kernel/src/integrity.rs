//! The kernel's check of itself: its CRC, before anything else is trusted.
use crate::far;
use core::fmt;
use model::crc32::Crc32;
use stage1::kernel_header::{KernelHeader, MAGIC};
use stage1::low_memory::{KERNEL_CODE, KERNEL_DATA};

/// The kernel in memory is not the one that was built.
#[derive(Clone, Copy, Debug)]
pub enum Damaged {
    /// No header, or one whose lengths cannot be.
    Header,
    /// The CRC differs.
    Crc {
        /// In the header.
        expected: u32,
        /// Of what is in memory.
        found: u32,
    },
}

impl fmt::Display for Damaged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Header => f.write_str("the kernel's header is damaged; write the image again"),
            Self::Crc { expected, found } => write!(
                f,
                "the kernel is damaged: CRC {found:08x}, its header says {expected:08x}; \
                 write the image again"
            ),
        }
    }
}

/// What the data segment held before the first line of Rust could change it must be checked first:
/// called before anything writes to a static that is not in bss.
pub fn check() -> Result<(), Damaged> {
    let bytes = (KERNEL_CODE.end - KERNEL_DATA.start) as usize;
    // SAFETY: the kernel's file, as it was loaded. It is only read, and by value: nothing else runs.
    let file: &[u8] = unsafe { core::slice::from_raw_parts(far::pointer(KERNEL_DATA.start), bytes) };
    let header = KernelHeader::read(file).filter(|header| header.magic == MAGIC).ok_or(Damaged::Header)?;
    let ranges = header.crc_ranges().ok_or(Damaged::Header)?;
    let mut digest = Crc32::new();
    for range in ranges {
        digest.update(&file[range]);
    }
    match digest.finish() {
        found if found == header.crc => Ok(()),
        found => Err(Damaged::Crc { expected: header.crc, found }),
    }
}
