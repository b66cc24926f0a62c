//! The IDE controller's own way to memory, where it has one: it needs no processor for each word, as
//! the BIOS's reads do.
//!
//! Sources: PCI IDE Controller Specification 1.0 (the interface byte); SFF-8038i (bus master); [`registers`].
mod registers;

use crate::clock::Clock;
use crate::pci::Function;
use crate::{linear, port};
use core::cell::UnsafeCell;
use core::fmt;
use map::disk::SECTOR;
use map::low_memory::BOUNCE;
use registers::{
    BMIC, BMIDTP, BMIS, BusMasterStatus, CAPABILITIES, DATA, DEV, DEVICE, DMA_AND_LBA, EOT, IDENTIFY_DEVICE,
    IDENTITY_WORDS, LBA, LBA_HIGH, LBA_LIMIT, LBA_LOW, LBA_MID, NIEN, READ_DMA, RWCON, SECTOR_COUNT, SRST,
    SSBM, STATUS_AND_COMMAND, Status,
};

/// PCI class, subclass and programming interface: an IDE controller that can be bus master.
const IDE: u32 = 0x01_01_00;
const CLASS_AND_SUBCLASS: u32 = 0xFF_FF_00;
const CAN_BE_MASTER: u32 = 1 << 7;
/// In the interface: each channel's ports are in base address registers, not where they always were.
const NATIVE: [u8; 2] = [1 << 0, 1 << 2];
/// The channels' ports of old: command block, device control.
const LEGACY: [(u16, u16); 2] = [(0x1F0, 0x3F6), (0x170, 0x376)];
/// Where device control is in the ports of a channel's second base address register.
const NATIVE_DEVICE_CONTROL: u16 = 2;
/// The base address register of the bus master's ports; so many of them for each channel.
const BUS_MASTER_BAR: u8 = 4;
const BUS_MASTER_PORTS: u16 = 8;

/// How long a drive that is there takes to listen, in microseconds; and how long a read may take: a
/// drive that tries a weak sector again needs seconds.
const SELECT_TIME: u64 = 50_000;
const READ_TIME: u64 = 10_000_000;

/// Why a read failed.
#[derive(Clone, Copy, Debug)]
pub enum DmaError {
    /// Nobody is there, or does not listen.
    Absent,
    /// The drive or the bus master reports an error.
    Status(Status, BusMasterStatus),
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
            Self::TooFar => f.write_str("beyond 128 GiB"),
        }
    }
}

/// The physical region descriptor table: one descriptor, address and bytes, of the bounce buffer.
#[repr(C, align(8))]
struct DescriptorTable(UnsafeCell<[u32; 2]>);

// SAFETY: only the loader's one thread writes it, between two reads.
unsafe impl Sync for DescriptorTable {}

static DESCRIPTOR_TABLE: DescriptorTable = DescriptorTable(UnsafeCell::new([0; 2]));

/// A drive behind a bus master.
#[derive(Clone, Copy)]
pub struct BusMaster {
    command_block: u16,
    device_control: u16,
    bus_master: u16,
    device: u8,
}

impl BusMaster {
    /// All drives that could be there: two on each of a controller's channels. None without such a
    /// controller.
    pub fn candidates() -> impl Iterator<Item = Self> {
        let controller =
            Function::find(|class| class & CLASS_AND_SUBCLASS == IDE && class & CAN_BE_MASTER != 0);
        let channels = controller.and_then(Self::channels).into_iter().flatten().flatten();
        channels.flat_map(|channel| [0, DEV].map(|device| Self { device, ..channel }))
    }

    /// The first drive of each channel that has ports. `None` where the bus master has none: a port
    /// number counted from 0 would be the ISA DMA controller's.
    fn channels(controller: Function) -> Option<[Option<Self>; 2]> {
        let bus_master = controller.io_base(BUS_MASTER_BAR)?;
        controller.enable();
        let interface = controller.interface();
        Some([0u8, 1].map(|channel| {
            let at = usize::from(channel);
            let (command_block, device_control) = match interface & NATIVE[at] {
                0 => LEGACY[at],
                _ => (
                    controller.io_base(2 * channel)?,
                    controller.io_base(2 * channel + 1)? + NATIVE_DEVICE_CONTROL,
                ),
            };
            let bus_master = bus_master + BUS_MASTER_PORTS * u16::from(channel);
            Some(Self { command_block, device_control, bus_master, device: 0 })
        }))
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
        self.out(STATUS_AND_COMMAND, IDENTIFY_DEVICE);
        let (drive, master) = self.wait(clock, SELECT_TIME, |drive, _| !drive.contains(Status::BSY))?;
        if drive.intersects(Status::ERR | Status::DF) || !drive.contains(Status::DRQ) {
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
        self.stop_bus_master(0);
        if done.is_err() {
            self.reset(clock);
        }
        self.end_command();
        done
    }

    /// Lets the BIOS's interrupts come again, without one that the last command asked for.
    fn end_command(&self) {
        // SAFETY: reading the status of our drive takes its interrupt back, as is wanted.
        unsafe { port::read_u8(self.command_block + STATUS_AND_COMMAND) };
        self.out_device_control(0);
    }

    /// Makes the channel listen to our drive, without interrupts. `lba` gives four bits of its own.
    fn select(&self, clock: &Clock, lba: u32) -> Result<(), DmaError> {
        self.out_device_control(NIEN);
        self.out(DEVICE, LBA | self.device | (lba >> 24) as u8);
        let idle = |drive: Status, _| !drive.intersects(Status::BSY | Status::DRQ);
        match self.wait(clock, SELECT_TIME, idle) {
            // A drive that is there is ready, or a CD drive; of one that is not there, all bits are zero.
            Ok((drive, _)) if !drive.is_empty() => Ok(()),
            _ => Err(DmaError::Absent),
        }
    }

    fn transfer(&self, clock: &Clock, lba: u32, sectors: u32) -> Result<(), DmaError> {
        self.select(clock, lba)?;
        self.stop_bus_master(RWCON);
        // SAFETY: the bus master does not run, and nobody else looks at the table.
        unsafe { DESCRIPTOR_TABLE.0.get().write_volatile([BOUNCE.start, (sectors * SECTOR) | EOT]) };
        // SAFETY: the table lies below 64 KB, where linear addresses are physical ones; it names the
        // bounce buffer, which holds as much and is ours.
        unsafe { port::write_u32(self.bus_master + BMIDTP, DESCRIPTOR_TABLE.0.get().addr() as u32) };
        self.out(SECTOR_COUNT, sectors as u8);
        self.out(LBA_LOW, lba as u8);
        self.out(LBA_MID, (lba >> 8) as u8);
        self.out(LBA_HIGH, (lba >> 16) as u8);
        self.out(STATUS_AND_COMMAND, READ_DMA);
        self.out_bus_master(BMIC, RWCON | SSBM);
        let (drive, master) = self.wait(clock, READ_TIME, |drive, master| {
            let failed =
                drive.intersects(Status::ERR | Status::DF) || master.contains(BusMasterStatus::ERROR);
            !drive.contains(Status::BSY) && (failed || !master.contains(BusMasterStatus::BMIDEA))
        })?;
        let failed = drive.intersects(Status::ERR | Status::DF | Status::DRQ);
        if failed || master.contains(BusMasterStatus::ERROR) {
            return Err(DmaError::Status(drive, master));
        }
        Ok(())
    }

    /// Waits until the two statuses are as wanted. Nobody there reads as all ones.
    fn wait(
        &self,
        clock: &Clock,
        micros: u64,
        wanted: impl Fn(Status, BusMasterStatus) -> bool,
    ) -> Result<(Status, BusMasterStatus), DmaError> {
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

    /// The alternate status, which clears no interrupt, and BMIS. That is read first: once the bus
    /// master is done, the drive's status is final.
    fn status(&self) -> (Status, BusMasterStatus) {
        // SAFETY: reading both changes nothing.
        let (master, drive) =
            unsafe { (port::read_u8(self.bus_master + BMIS), port::read_u8(self.device_control)) };
        (Status::from_bits_retain(drive), BusMasterStatus::from_bits_truncate(master))
    }

    /// Resets both drives of the channel.
    fn reset(&self, clock: &Clock) {
        self.out_device_control(SRST | NIEN);
        (0..16).for_each(|_| {
            self.status(); // 5 µs
        });
        self.out_device_control(NIEN);
        // Whether it has come back is the BIOS's to find out.
        let _ = self.wait(clock, SELECT_TIME, |drive, _| !drive.contains(Status::BSY));
    }

    /// Stops the bus master, sets its direction, and clears what the last read left.
    fn stop_bus_master(&self, direction: u8) {
        self.out_bus_master(BMIC, direction);
        self.out_bus_master(BMIS, (BusMasterStatus::ERROR | BusMasterStatus::IDEINTS).bits());
    }

    /// Writes a register of the command block.
    fn out(&self, register: u16, value: u8) {
        // SAFETY: the ports of a drive's channel, and its commands are those above: they only read.
        unsafe { port::write_u8(self.command_block + register, value) };
    }

    fn out_device_control(&self, value: u8) {
        // SAFETY: the same; interrupts and resets of drives that nobody else uses now.
        unsafe { port::write_u8(self.device_control, value) };
    }

    fn out_bus_master(&self, register: u16, value: u8) {
        // SAFETY: the ports that the controller says, and it writes only where the table says.
        unsafe { port::write_u8(self.bus_master + register, value) };
    }
}

/// Fills the bounce buffer with what no two sectors hold, so that a read that moves nothing is noticed.
pub fn spoil(bytes: usize) {
    let buffer: *mut u8 = linear::pointer(BOUNCE.start);
    // SAFETY: the buffer is ours and at least as long.
    unsafe { buffer.write_bytes(0xA5, bytes.min(BOUNCE.size() as usize)) };
}
