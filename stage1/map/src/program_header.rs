//! The first bytes of a program, the loader or the kernel: what it is, how long its two halves are, their CRC, and
//! of which build it is.
//!
//! A program's file is what memory holds from `PROGRAM_DATA.start` to `PROGRAM_CODE.end`, byte for
//! byte: in the data half [`ProgramHeader::data_bytes`] and then zeros where the stack will be, in the
//! code half [`ProgramHeader::code_bytes`] and then zeros. The CRC covers everything but the stack,
//! which a program writes before it reads.
//!
//! The loader hands Rust values over to the kernel, which both must lay out in the same way: so a kernel names the
//! loader that it was built with, by its CRC, and no other loader starts it.
//!
//! The linker writes magic and lengths (kernel/pc/program.ld), the build script build and CRC.
use crate::low_memory::{PROGRAM_CODE, PROGRAM_DATA};

/// A program's first four bytes: "UNRL".
pub const MAGIC: u32 = u32::from_le_bytes(*b"UNRL");

/// The first 20 bytes of a program's file, little-endian.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProgramHeader {
    /// [`MAGIC`].
    pub magic: u32,
    /// CRC-32 (ISO-HDLC, as in zip) over what [`ProgramHeader::covered`] gives.
    pub crc: u32,
    /// Bytes of this header, rodata, data and bss (zeros), from `PROGRAM_DATA.start` on. The stack
    /// follows.
    pub data_bytes: u32,
    /// Bytes of code, from `PROGRAM_CODE.start` on.
    pub code_bytes: u32,
    /// The CRC of the loader that was compiled together with this program; 0 in the loader itself.
    pub build: u32,
}

impl ProgramHeader {
    /// Bytes of the header.
    pub const BYTES: usize = size_of::<Self>();
    /// Where the CRC begins in the file: behind magic and CRC, so that it covers the lengths.
    pub const CRC_START: usize = 8;
    /// Where the code begins in the file.
    pub const CODE_START: usize = PROGRAM_DATA.size() as usize;

    /// Reads the header from the start of a program's file. `None` if it is cut short.
    pub fn read(file: &[u8]) -> Option<Self> {
        let bytes: &[u8; Self::BYTES] = file.first_chunk()?;
        let word = |at: usize| u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
        Some(Self {
            magic: word(0),
            crc: word(4),
            data_bytes: word(8),
            code_bytes: word(12),
            build: word(16),
        })
    }

    /// The header as the file holds it.
    pub fn to_bytes(self) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        let words = [self.magic, self.crc, self.data_bytes, self.code_bytes, self.build];
        for (bytes, word) in bytes.as_chunks_mut().0.iter_mut().zip(words) {
            *bytes = word.to_le_bytes();
        }
        bytes
    }

    /// What the CRC covers of a program's file, in this order: the data half from [`Self::CRC_START`] to the
    /// stack, then all of the code half. `None` if a length does not fit its half, or the file is cut short.
    pub fn covered<'f>(&self, file: &'f [u8]) -> Option<[&'f [u8]; 2]> {
        let data = self.data_bytes as usize;
        let code = self.code_bytes as usize;
        if data < Self::BYTES || data > PROGRAM_DATA.size() as usize || code > PROGRAM_CODE.size() as usize {
            return None;
        }
        let code_end = Self::CODE_START + PROGRAM_CODE.size() as usize;
        Some([file.get(Self::CRC_START..data)?, file.get(Self::CODE_START..code_end)?])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: ProgramHeader =
        ProgramHeader { magic: MAGIC, crc: 0x1234_5678, data_bytes: 0x800, code_bytes: 0x9000, build: 7 };

    #[test]
    fn bytes_survive_a_round_trip() {
        assert_eq!(ProgramHeader::read(&HEADER.to_bytes()), Some(HEADER));
        assert_eq!(ProgramHeader::read(&HEADER.to_bytes()[..19]), None);
    }

    #[test]
    fn lengths_that_lie_cover_nothing() {
        let file = &[0; 0x1_F000];
        let lengths = |header: ProgramHeader, file| Some(header.covered(file)?.map(<[u8]>::len));
        assert_eq!(lengths(HEADER, file), Some([0x800 - 8, 0x1_0000]));
        assert_eq!(lengths(HEADER, &file[1..]), None);
        for (data_bytes, code_bytes) in [(19, 0), (0xF001, 0), (20, 0x1_0001), (u32::MAX, u32::MAX)] {
            assert_eq!(lengths(ProgramHeader { data_bytes, code_bytes, ..HEADER }, file), None);
        }
    }
}
