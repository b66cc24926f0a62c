//! The machine's own code: the boot sector and the kernel, as the disk holds them.
//!
//! Used twice: by this package's build script, which puts both into the host program, and by
//! whoever wants them built with other features (a test that leaves unreal mode out, say).
pub mod compile;
pub mod flatten;

use std::path::Path;

use compile::{CompileError, KERNEL, STAGE1, compile};
use flatten::{FlattenError, Sizes, flatten};
use stage1::{
    disk_map::{KERNEL_SECTORS, SECTOR, STAGE1_BYTES},
    kernel_header::{KernelHeader, MAGIC},
    low_memory::{self, KERNEL_CODE, KERNEL_DATA},
};

/// Bytes of the kernel on disk: what memory holds from `KERNEL_DATA.start` to `KERNEL_CODE.end`.
pub const KERNEL_BYTES: usize = (KERNEL_SECTORS * SECTOR) as usize;

/// The boot sector and the kernel.
#[derive(Clone, Debug)]
pub struct MachineCode {
    /// The boot sector's code, at most 446 bytes.
    pub stage1: Vec<u8>,
    /// The kernel, [`KERNEL_BYTES`] bytes, its CRC filled in.
    pub kernel: Vec<u8>,
    /// What the kernel's bytes are.
    pub sizes: Sizes,
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
    /// The kernel's header is not what the linker script should have written.
    #[error(
        "the kernel's header is {found:?}; kernel/link.ld should write magic {MAGIC:#x} and lengths within their halves"
    )]
    Header {
        /// What stands there.
        found: Option<KernelHeader>,
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
        let kernel = compile(root, target_dir, KERNEL, features)?;
        Self::from_elf(&stage1, &kernel)
    }

    /// From the two ELF files, with their sizes checked.
    ///
    /// # Errors
    /// Where they do not fit the machine.
    pub fn from_elf(stage1: &[u8], kernel: &[u8]) -> Result<Self, MachineCodeError> {
        let stage1 = flatten("the boot sector", stage1, low_memory::STAGE1, low_memory::STAGE1)?;
        if stage1.bytes.len() > STAGE1_BYTES {
            return Err(MachineCodeError::Stage1 { bytes: stage1.bytes.len() });
        }
        let mut kernel = flatten("the kernel", kernel, KERNEL_CODE, KERNEL_DATA)?;
        kernel.bytes.resize(KERNEL_BYTES, 0);
        seal(&mut kernel.bytes)?;
        Ok(Self { stage1: stage1.bytes, kernel: kernel.bytes, sizes: kernel.sizes })
    }
}

/// The kernel's CRC as its header's lengths define it. `None` if they lie.
pub fn kernel_crc(kernel: &[u8]) -> Option<u32> {
    let crc = crc::Crc::<u32>::new(&crc::CRC_32_ISO_HDLC);
    let mut digest = crc.digest();
    for range in KernelHeader::read(kernel)?.crc_ranges()? {
        digest.update(kernel.get(range)?);
    }
    Some(digest.finalize())
}

/// Fills the CRC into the kernel's header.
fn seal(kernel: &mut [u8]) -> Result<(), MachineCodeError> {
    let found = KernelHeader::read(kernel);
    let header = found.filter(|header| header.magic == MAGIC);
    let (Some(header), Some(crc)) = (header, kernel_crc(kernel)) else {
        return Err(MachineCodeError::Header { found });
    };
    kernel[..KernelHeader::BYTES].copy_from_slice(&KernelHeader { crc, ..header }.to_bytes());
    Ok(())
}
