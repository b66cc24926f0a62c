//! The IDE controller's own way to memory, where it has one: it needs no processor for each word, as
//! the BIOS's reads do.
//!
//! Sources: Intel 82371SB (PIIX3) data sheet, 2.7 (bus master IDE registers); SFF-8038i; ATA/ATAPI-4, 8.23
//! (READ DMA).
use crate::clock::Clock;
use crate::pci::Function;
use crate::{linear, port};
use bitflags::bitflags;
use core::cell::UnsafeCell;
use core::fmt;
use map::disk::SECTOR;
use map::low_memory::BOUNCE;

/// Class, subclass and programming interface: an IDE controller that can be bus master.
const IDE: u32 = 0x01_01_00;
const CLASS_AND_SUBCLASS: u32 = 0xFF_FF_00;
const CAN_BE_MASTER: u32 = 1 << 7;
/// In the interface: each channel's ports are in base address registers, not where they always were.
const NATIVE: [u8; 2] = [1 << 0, 1 << 2];
/// The channels' ports of old: command block, control.
const LEGACY: [(u16, u16); 2] = [(0x1F0, 0x3F6), (0x170, 0x376)];
/// The base address register of the bus master's own ports; 8 of them for each channel.
const BUS_MASTER_BAR: u8 = 4;

/// Of the command block.
const DATA: u16 = 0;
const COUNT: u16 = 2;
const LBA_LOW: u16 = 3;
const LBA_MIDDLE: u16 = 4;
const LBA_HIGH: u16 = 5;
const DEVICE: u16 = 6;
const COMMAND: u16 = 7;
/// In [`DEVICE`]: addressing by block number; the second drive of the channel.
const BY_LBA: u8 = 0xE0;
const SECOND_DRIVE: u8 = 1 << 4;
const IDENTIFY_DEVICE: u8 = 0xEC;
const READ_DMA: u8 = 0xC8;
/// What [`IDENTIFY_DEVICE`] gives: words, the one with the capabilities, and what it must say there.
const IDENTITY_WORDS: usize = 256;
const CAPABILITIES: usize = 49;
const DMA_AND_LBA: u16 = 1 << 8 | 1 << 9;
/// READ DMA's block numbers have 28 bits.
const LBA_LIMIT: u32 = 1 << 28;
/// In the control register.
const NO_INTERRUPTS: u8 = 1 << 1;
const RESET: u8 = 1 << 2;

/// Of the bus master's ports.
const MASTER_COMMAND: u16 = 0;
const MASTER_STATUS: u16 = 2;
const MASTER_TABLE: u16 = 4;
/// In [`MASTER_COMMAND`].
const START: u8 = 1 << 0;
const TO_MEMORY: u8 = 1 << 3;
/// In the table: the last region.
const LAST_REGION: u32 = 1 << 31;

/// How long a drive that is there takes to listen, in microseconds; and how long a read may take: a
/// drive that tries a weak sector again needs seconds.
const SELECT_TIME: u64 = 50_000;
const READ_TIME: u64 = 10_000_000;

bitflags! {
    /// A drive's status.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Drive: u8 {
        /// The command failed.
        const ERROR = 1 << 0;
        /// Words wait to be moved.
        const REQUEST = 1 << 3;
        /// The drive failed.
        const FAULT = 1 << 5;
        /// It takes commands.
        const READY = 1 << 6;
        /// Nothing else here counts.
        const BUSY = 1 << 7;
    }

    /// The bus master's status.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Master: u8 {
        /// It is at work.
        const ACTIVE = 1 << 0;
        /// It could not read or write memory. Written as one, cleared.
        const ERROR = 1 << 1;
        /// The drive has asked for an interrupt. Written as one, cleared.
        const INTERRUPT = 1 << 2;
    }
}

/// Why a read failed.
#[derive(Clone, Copy, Debug)]
pub enum DmaError {
    /// Nobody is there, or does not listen.
    Absent,
    /// The drive or the bus master reports an error.
    Status(Drive, Master),
    /// Nothing was reported in time.
    Timeout,
    /// The block number has more than 28 bits.
    TooFar,
}

impl fmt::Display for DmaError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absent => f.write_str("the drive does not listen"),
            Self::Status(drive, master) => {
                write!(f, "status {:02x}h, bus master {:02x}h", drive.bits(), master.bits())
            }
            Self::Timeout => write!(f, "no answer in {} s", READ_TIME / 1_000_000),
            Self::TooFar => f.write_str("beyond 128 GB"),
        }
    }
}

/// The bus master's list of memory regions: one, the bounce buffer.
#[repr(C, align(8))]
struct Regions(UnsafeCell<[u32; 2]>);

// SAFETY: only the loader's one thread writes it, between two reads.
unsafe impl Sync for Regions {}

static REGIONS: Regions = Regions(UnsafeCell::new([0; 2]));

/// A drive behind a bus master.
#[derive(Clone, Copy)]
pub struct BusMaster {
    command_block: u16,
    control: u16,
    master: u16,
    second: bool,
}

impl BusMaster {
    /// All drives that could be there: two on each of a controller's channels. None without such a
    /// controller.
    pub fn candidates() -> impl Iterator<Item = Self> {
        let controller =
            Function::find(|class| class & CLASS_AND_SUBCLASS == IDE && class & CAN_BE_MASTER != 0);
        let ports = controller.map(|controller| {
            controller.enable();
            let interface = controller.interface();
            let master = controller.io_base(BUS_MASTER_BAR);
            [0u8, 1].map(|channel| {
                let at = usize::from(channel);
                let (command_block, control) = match interface & NATIVE[at] {
                    0 => LEGACY[at],
                    _ => (controller.io_base(2 * channel), controller.io_base(2 * channel + 1) + 2),
                };
                Self { command_block, control, master: master + 8 * u16::from(channel), second: false }
            })
        });
        let channels = ports.into_iter().flatten().filter(|channel| channel.master >= 8);
        channels.flat_map(|channel| [false, true].map(|second| Self { second, ..channel }))
    }

    /// Whether a disk is there that can be read by DMA and block number. A CD drive refuses the question
    /// and is left as it was: it must not be reset, as the BIOS may read it.
    pub fn is_disk(&self, clock: &Clock) -> bool {
        let capabilities = self.capabilities(clock);
        self.end_command();
        capabilities.is_ok_and(|capabilities| capabilities & DMA_AND_LBA == DMA_AND_LBA)
    }

    /// The word of its identity that says what it can do.
    fn capabilities(&self, clock: &Clock) -> Result<u16, DmaError> {
        self.select(clock, 0)?;
        self.out(COMMAND, IDENTIFY_DEVICE);
        let (drive, master) = self.wait(clock, SELECT_TIME, |drive, _| !drive.contains(Drive::BUSY))?;
        if drive.intersects(Drive::ERROR | Drive::FAULT) || !drive.contains(Drive::REQUEST) {
            return Err(DmaError::Status(drive, master));
        }
        // SAFETY: the drive waits until all of these words are read.
        let words = core::array::from_fn::<u16, IDENTITY_WORDS, _>(|_| unsafe {
            port::read_u16(self.command_block + DATA)
        });
        Ok(words[CAPABILITIES])
    }

    /// Reads `sectors` sectors, at most what the bounce buffer holds, into it.
    ///
    /// # Errors
    /// What the drive said. The channel is reset then.
    pub fn read(&self, clock: &Clock, lba: u32, sectors: u32) -> Result<(), DmaError> {
        if lba.saturating_add(sectors) >= LBA_LIMIT {
            return Err(DmaError::TooFar);
        }
        let done = self.transfer(clock, lba, sectors);
        self.out_master(MASTER_COMMAND, 0);
        self.clear_master();
        if done.is_err() {
            self.reset(clock);
        }
        self.end_command();
        done
    }

    /// Lets the BIOS's interrupts come again, without one that the last command asked for.
    fn end_command(&self) {
        // SAFETY: the status and the control register of our drive's channel.
        unsafe {
            port::read_u8(self.command_block + COMMAND);
            port::write_u8(self.control, 0);
        }
    }

    /// Makes the channel listen to our drive, without interrupts. `lba` gives four bits of its own.
    fn select(&self, clock: &Clock, lba: u32) -> Result<(), DmaError> {
        // SAFETY: the control register of our drive's channel.
        unsafe { port::write_u8(self.control, NO_INTERRUPTS) };
        let device = BY_LBA | if self.second { SECOND_DRIVE } else { 0 };
        self.out(DEVICE, device | (lba >> 24) as u8);
        let idle = |drive: Drive, _| !drive.intersects(Drive::BUSY | Drive::REQUEST);
        match self.wait(clock, SELECT_TIME, idle) {
            // A drive that is there is ready, or a CD drive; of one that is not there, all bits are zero.
            Ok((drive, _)) if !drive.is_empty() => Ok(()),
            _ => Err(DmaError::Absent),
        }
    }

    fn transfer(&self, clock: &Clock, lba: u32, sectors: u32) -> Result<(), DmaError> {
        self.select(clock, lba)?;
        let bytes = sectors * SECTOR;
        // SAFETY: the bus master does not run, and nobody else looks at the list.
        unsafe { REGIONS.0.get().write_volatile([BOUNCE.start, bytes | LAST_REGION]) };
        self.out_master(MASTER_COMMAND, TO_MEMORY);
        self.clear_master();
        // SAFETY: the list lies below 64 KB, where linear addresses are physical ones; it names the
        // bounce buffer, which holds as much and is ours.
        unsafe { port::write_u32(self.master + MASTER_TABLE, REGIONS.0.get().addr() as u32) };
        self.out(COUNT, sectors as u8);
        self.out(LBA_LOW, lba as u8);
        self.out(LBA_MIDDLE, (lba >> 8) as u8);
        self.out(LBA_HIGH, (lba >> 16) as u8);
        self.out(COMMAND, READ_DMA);
        self.out_master(MASTER_COMMAND, TO_MEMORY | START);
        let (drive, master) = self.wait(clock, READ_TIME, |drive, master| {
            let failed = drive.intersects(Drive::ERROR | Drive::FAULT) || master.contains(Master::ERROR);
            !drive.contains(Drive::BUSY) && (failed || !master.contains(Master::ACTIVE))
        })?;
        let failed = drive.intersects(Drive::ERROR | Drive::FAULT | Drive::REQUEST);
        if failed || master.contains(Master::ERROR) {
            return Err(DmaError::Status(drive, master));
        }
        Ok(())
    }

    /// Waits until the two statuses are as wanted. Nobody there reads as all ones.
    fn wait(
        &self,
        clock: &Clock,
        micros: u64,
        wanted: impl Fn(Drive, Master) -> bool,
    ) -> Result<(Drive, Master), DmaError> {
        // The status is right 400 ns after a command: four reads of a port take as long.
        (0..4).for_each(|_| {
            self.status();
        });
        let start = clock.now();
        loop {
            let (drive, master) = self.status();
            if !drive.is_all() && wanted(drive, master) {
                return Ok((drive, master));
            }
            if clock.micros_since(start) > micros {
                return Err(DmaError::Timeout);
            }
        }
    }

    /// The status that clears no interrupt, and the bus master's. The bus master's is read first: once
    /// it is done, the drive's is final.
    fn status(&self) -> (Drive, Master) {
        // SAFETY: reading both changes nothing.
        let (master, drive) =
            unsafe { (port::read_u8(self.master + MASTER_STATUS), port::read_u8(self.control)) };
        (Drive::from_bits_retain(drive), Master::from_bits_truncate(master))
    }

    /// Resets both drives of the channel.
    fn reset(&self, clock: &Clock) {
        // SAFETY: the control register of our drive's channel; nobody uses its drives now.
        unsafe {
            port::write_u8(self.control, RESET | NO_INTERRUPTS);
            (0..16).for_each(|_| {
                self.status(); // 5 µs
            });
            port::write_u8(self.control, NO_INTERRUPTS);
        }
        // Whether it has come back is the BIOS's to find out.
        let _ = self.wait(clock, SELECT_TIME, |drive, _| !drive.contains(Drive::BUSY));
    }

    /// Clears what the last read left.
    fn clear_master(&self) {
        self.out_master(MASTER_STATUS, (Master::ERROR | Master::INTERRUPT).bits());
    }

    fn out(&self, register: u16, value: u8) {
        // SAFETY: the command block of a drive that only reads.
        unsafe { port::write_u8(self.command_block + register, value) };
    }

    fn out_master(&self, register: u16, value: u8) {
        // SAFETY: the bus master writes only where the list says.
        unsafe { port::write_u8(self.master + register, value) };
    }
}

/// Fills the bounce buffer with what no two sectors hold, so that a read that moves nothing is noticed.
pub fn spoil(bytes: usize) {
    let buffer: *mut u8 = linear::pointer(BOUNCE.start);
    // SAFETY: the buffer is ours and at least as long.
    unsafe { buffer.write_bytes(0xA5, bytes.min(BOUNCE.size() as usize)) };
}
