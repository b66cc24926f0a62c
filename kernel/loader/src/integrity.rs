//! The check of a program's file before anything else of it is trusted: its CRC, and that it is of our build.
use core::fmt;
use map::low_memory::{PROGRAM_CODE, PROGRAM_DATA};
use map::program_header::{MAGIC, ProgramHeader};
use model::crc32::crc32_of;
use pc::linear;

/// A program is not the one that was built.
#[derive(Clone, Copy, Debug)]
pub struct Damaged {
    /// "loader" or "kernel".
    program: &'static str,
    cause: Cause,
}

#[derive(Clone, Copy, Debug)]
enum Cause {
    /// Its magic is wrong, or its lengths cannot be.
    Header,
    /// Its header says that its CRC is another one.
    Crc { expected: u32, found: u32 },
    /// It was built together with another loader.
    Build,
}

impl fmt::Display for Damaged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let program = self.program;
        match self.cause {
            Cause::Header => write!(f, "the {program}'s header is damaged")?,
            Cause::Crc { expected, found } => {
                write!(f, "the {program} is damaged: CRC {found:08x}, its header says {expected:08x}")?;
            }
            Cause::Build => f.write_str("loader and kernel are of two builds")?,
        }
        f.write_str("; write the image again")
    }
}

/// The program that runs, the loader, and its header. Called before anything writes to a static, as bss is checked
/// to be zeros. A flipped bit in the few instructions until here may hang the machine: nothing can check them.
pub fn check_loader() -> Result<ProgramHeader, Damaged> {
    let bytes = (PROGRAM_CODE.end - PROGRAM_DATA.start) as usize;
    // SAFETY: the program's file, as it was loaded. It is only read, and by value: nothing else runs.
    check("loader", unsafe { core::slice::from_raw_parts(linear::pointer(PROGRAM_DATA.start), bytes) })
}

/// The file of a program that takes our place, and its header.
pub fn check_kernel(file: &[u8], loader: &ProgramHeader) -> Result<ProgramHeader, Damaged> {
    match check("kernel", file) {
        Ok(kernel) if kernel.build != loader.crc => Err(Damaged { program: "kernel", cause: Cause::Build }),
        checked => checked,
    }
}

fn check(program: &'static str, file: &[u8]) -> Result<ProgramHeader, Damaged> {
    let damaged = |cause| Damaged { program, cause };
    let header = ProgramHeader::read(file).filter(|header| header.magic == MAGIC);
    let header = header.ok_or(damaged(Cause::Header))?;
    let (expected, found) = (header.crc, crc32_of(&header.covered(file).ok_or(damaged(Cause::Header))?));
    if found == expected { Ok(header) } else { Err(damaged(Cause::Crc { expected, found })) }
}
