//! The machine's own code: the boot sector, the loader and the kernel, as the disk holds them.
//!
//! Used twice: by this package's build script, which puts them into the host program, and by
//! whoever wants them built with other features (a test that leaves unreal mode out, say).
pub mod compile;
pub mod flatten;

use std::path::Path;

use compile::{CompileError, KERNEL, LOADER, STAGE1, compile};
use flatten::{Flat, FlattenError, Sizes, flatten};
use map::{
    disk::{PROGRAM_SECTORS, SECTOR, STAGE1_BYTES},
    low_memory::{self, PROGRAM_CODE, PROGRAM_DATA},
    program_header::{MAGIC, ProgramHeader},
};
use model::crc32::crc32_of;

/// Bytes of the loader or the kernel on disk: what memory holds from `PROGRAM_DATA.start` to
/// `PROGRAM_CODE.end`.
pub const PROGRAM_BYTES: usize = (PROGRAM_SECTORS * SECTOR) as usize;

/// A program of the machine: the loader or the kernel.
#[derive(Clone, Debug)]
pub struct Program {
    /// Its file, [`PROGRAM_BYTES`] bytes, build and CRC filled in.
    pub file: Vec<u8>,
    /// What the bytes are.
    pub sizes: Sizes,
}

/// All that runs on the machine.
#[derive(Clone, Debug)]
pub struct MachineCode {
    /// The boot sector's code, at most 446 bytes.
    pub stage1: Vec<u8>,
    /// Brings the model into memory.
    pub loader: Program,
    /// Tells stories with it.
    pub kernel: Program,
}

/// Why there is no machine code.
#[derive(Debug, thiserror::Error)]
pub enum MachineCodeError {
    /// It could not be compiled.
    #[error(transparent)]
    Compile(#[from] CompileError),
    /// It does not fit the machine.
    #[error(transparent)]
    Flatten(#[from] FlattenError),
    /// The boot sector has too much code.
    #[error("the boot sector has {bytes} bytes of code; there are {STAGE1_BYTES} before the partition table")]
    Stage1 {
        /// Bytes it has.
        bytes: usize,
    },
    /// A program's header is not what the linker script should have written.
    #[error(
        "a program's header is {found:?}; kernel/pc/program.ld should write magic {MAGIC:#x} and lengths within their halves"
    )]
    Header {
        /// What stands there.
        found: Option<ProgramHeader>,
    },
}

impl MachineCode {
    /// Compiles both programs from the workspace at `root`, with more features than usual where
    /// `features` names some that both packages have.
    ///
    /// # Errors
    /// Where they do not compile, or do not fit the machine.
    pub fn from_source(root: &Path, target_dir: &Path, features: &[&str]) -> Result<Self, MachineCodeError> {
        let stage1 = compile(root, target_dir, STAGE1, features)?;
        let loader = compile(root, target_dir, LOADER, features)?;
        let kernel = compile(root, target_dir, KERNEL, features)?;
        Self::from_elf(&stage1, &loader, &kernel)
    }

    /// From the three ELF files, with their sizes checked.
    ///
    /// # Errors
    /// Where they do not fit the machine.
    pub fn from_elf(stage1: &[u8], loader: &[u8], kernel: &[u8]) -> Result<Self, MachineCodeError> {
        let stage1 = flatten("the boot sector", stage1, low_memory::STAGE1, low_memory::STAGE1)?;
        if stage1.bytes.len() > STAGE1_BYTES {
            return Err(MachineCodeError::Stage1 { bytes: stage1.bytes.len() });
        }
        let loader = Program::loader(loader)?;
        let kernel = Program::kernel("the kernel", kernel, &loader)?;
        Ok(Self { stage1: stage1.bytes, loader, kernel })
    }
}

impl Program {
    /// Compiles a program that may take the kernel's place, the 1356-byte mode or the benchmark, from the sources of
    /// `loader`.
    ///
    /// # Errors
    /// As [`MachineCode::from_source`].
    pub fn from_source(
        root: &Path,
        target_dir: &Path,
        program: compile::Program,
        loader: &Self,
    ) -> Result<Self, MachineCodeError> {
        Self::kernel(program.binary, &compile(root, target_dir, program, &[])?, loader)
    }

    /// The loader from its ELF file.
    ///
    /// # Errors
    /// Where it does not fit the machine.
    pub fn loader(elf: &[u8]) -> Result<Self, MachineCodeError> {
        Self::sealed("the loader", elf, 0)
    }

    /// A program that `loader` starts, from its ELF file.
    ///
    /// # Errors
    /// Where it does not fit the machine.
    pub fn kernel(name: &'static str, elf: &[u8], loader: &Self) -> Result<Self, MachineCodeError> {
        Self::sealed(name, elf, loader.header().crc)
    }

    fn sealed(name: &'static str, elf: &[u8], build: u32) -> Result<Self, MachineCodeError> {
        let Flat { mut bytes, sizes } = flatten(name, elf, PROGRAM_CODE, PROGRAM_DATA)?;
        bytes.resize(PROGRAM_BYTES, 0);
        let found = ProgramHeader::read(&bytes);
        let header = found.filter(|header| header.magic == MAGIC);
        let mut program = Self { file: bytes, sizes };
        match header.and_then(|header| program.seal(ProgramHeader { build, ..header })) {
            Some(()) => Ok(program),
            None => Err(MachineCodeError::Header { found }),
        }
    }

    /// Its header.
    pub fn header(&self) -> ProgramHeader {
        ProgramHeader::read(&self.file).expect("a program's file is longer than its header")
    }

    /// Writes `header` with the CRC that belongs to it and to what the file holds. `None` if its lengths lie.
    pub fn seal(&mut self, header: ProgramHeader) -> Option<()> {
        self.file[..ProgramHeader::BYTES].copy_from_slice(&header.to_bytes());
        let crc = crc32_of(&header.covered(&self.file)?);
        self.file[..ProgramHeader::BYTES].copy_from_slice(&ProgramHeader { crc, ..header }.to_bytes());
        Some(())
    }
}
