//! The check of a program's file: its CRC, before anything else of it is trusted.
use core::fmt;
use map::low_memory::{PROGRAM_CODE, PROGRAM_DATA};
use map::program_header::{MAGIC, ProgramHeader};
use model::crc32::CRC32;
use pc::linear;

/// A program is not the one that was built.
#[derive(Clone, Copy, Debug)]
pub struct Damaged {
    /// "loader" or "kernel".
    pub program: &'static str,
    /// The CRC that its header names and the one that it has; `None` for a header whose lengths
    /// cannot be.
    pub crc: Option<(u32, u32)>,
}

impl fmt::Display for Damaged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let program = self.program;
        match self.crc {
            None => write!(f, "the {program}'s header is damaged; write the image again"),
            Some((expected, found)) => write!(
                f,
                "the {program} is damaged: CRC {found:08x}, its header says {expected:08x}; \
                 write the image again"
            ),
        }
    }
}

/// The program that runs. Called before anything writes to a static, as bss is checked to be zeros.
/// A flipped bit in the few instructions until here may hang the machine: nothing can check them.
pub fn check_loader() -> Result<(), Damaged> {
    let bytes = (PROGRAM_CODE.end - PROGRAM_DATA.start) as usize;
    // SAFETY: the program's file, as it was loaded. It is only read, and by value: nothing else runs.
    check("loader", unsafe { core::slice::from_raw_parts(linear::pointer(PROGRAM_DATA.start), bytes) })
}

/// A program's file.
pub fn check(program: &'static str, file: &[u8]) -> Result<(), Damaged> {
    let damaged = Damaged { program, crc: None };
    let header = ProgramHeader::read(file).filter(|header| header.magic == MAGIC).ok_or(damaged)?;
    let mut digest = CRC32.digest();
    for range in header.crc_ranges().ok_or(damaged)? {
        digest.update(file.get(range).ok_or(damaged)?);
    }
    match digest.finalize() {
        found if found == header.crc => Ok(()),
        found => Err(Damaged { crc: Some((header.crc, found)), ..damaged }),
    }
}
