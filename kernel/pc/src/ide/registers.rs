//! The registers of a drive and of the bus master, by the data sheets' names.
//!
//! Sources: ATA/ATAPI-6 (INCITS 361), 7 (registers) and 8 (commands); Intel 82371SB (PIIX3) data sheet, 2.7
//! (bus master IDE registers); SFF-8038i (physical region descriptors).
use bitflags::bitflags;

/// Registers of the command block. Status when read, a command when written.
pub const DATA: u16 = 0;
pub const SECTOR_COUNT: u16 = 2;
pub const LBA_LOW: u16 = 3;
pub const LBA_MID: u16 = 4;
pub const LBA_HIGH: u16 = 5;
pub const DEVICE: u16 = 6;
pub const STATUS_AND_COMMAND: u16 = 7;
/// Device: LBA (the two bits around it were always ones), and DEV, the channel's second drive.
pub const LBA: u8 = 1 << 6 | 1 << 7 | 1 << 5;
pub const DEV: u8 = 1 << 4;
/// Device control, which reads as alternate status: no interrupts, software reset.
pub const NIEN: u8 = 1 << 1;
pub const SRST: u8 = 1 << 2;
/// Commands.
pub const IDENTIFY_DEVICE: u8 = 0xEC;
pub const READ_DMA: u8 = 0xC8;
/// What [`IDENTIFY_DEVICE`] gives: words, the one with the capabilities, and what it must say there.
pub const IDENTITY_WORDS: usize = 256;
pub const CAPABILITIES: usize = 49;
pub const DMA_AND_LBA: u16 = 1 << 8 | 1 << 9;
/// READ DMA's block numbers have 28 bits.
pub const LBA_LIMIT: u32 = 1 << 28;

/// Registers of the bus master: command, status, descriptor table pointer. PIIX3's BMICX, BMISX and
/// BMIDTPX, X being the channel.
pub const BMIC: u16 = 0;
pub const BMIS: u16 = 2;
pub const BMIDTP: u16 = 4;
/// BMIC: start; direction, to memory.
pub const SSBM: u8 = 1 << 0;
pub const RWCON: u8 = 1 << 3;
/// Of a physical region descriptor: end of table.
pub const EOT: u32 = 1 << 31;

bitflags! {
    /// A drive's status.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Status: u8 {
        /// Error: the command failed.
        const ERR = 1 << 0;
        /// Data request: words wait to be moved.
        const DRQ = 1 << 3;
        /// Device fault.
        const DF = 1 << 5;
        /// Device ready: it takes commands.
        const DRDY = 1 << 6;
        /// Busy: nothing else here counts.
        const BSY = 1 << 7;
    }

    /// BMIS, the bus master's status.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct BusMasterStatus: u8 {
        /// Bus master IDE active.
        const BMIDEA = 1 << 0;
        /// It could not read or write memory. Written as one, cleared.
        const ERROR = 1 << 1;
        /// The drive has asked for an interrupt. Written as one, cleared.
        const IDEINTS = 1 << 2;
    }
}
