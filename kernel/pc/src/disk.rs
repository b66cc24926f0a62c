//! Reading the boot disk into the bounce buffer below 1 MiB, from where the caller copies.
//!
//! By INT 13h: by block number where the BIOS can, by cylinder, head and sector otherwise. Or, where an IDE
//! controller can be bus master and is proved to reach the same drive, by that: a BIOS may move each
//! word by hand.
use crate::bios::{self, Registers};
use crate::clock::Clock;
use crate::ide::{self, BusMaster};
use crate::{linear, println};
use core::fmt;
use map::disk::SECTOR;
use map::int13::{
    CHECK_EXTENSIONS, DiskAddressPacket, EXTENSIONS_ANSWER, EXTENSIONS_ASK, FIRST_HARD_DISK, GET_PARAMETERS,
    Geometry, PACKET_ACCESS, READ_CHS, READ_EXTENDED, RESET,
};
use map::low_memory::BOUNCE;

/// Most sectors in one call: many BIOSes take no more, and they fit the bounce buffer.
pub const MAX_SECTORS: u32 = 127;
/// Sectors that are read both ways at each place.
const SAMPLE_SECTORS: u32 = 8;
/// How often a read is tried.
const TRIES: u32 = 4;
/// The bounce buffer as the BIOS names it: segment, offset 0.
const BOUNCE_SEGMENT: u16 = (BOUNCE.start >> 4) as u16;

const _: () = assert!(MAX_SECTORS * SECTOR <= BOUNCE.size());

/// How sectors are named.
#[derive(Clone, Copy, Debug)]
enum Addressing {
    Extended,
    Chs(Geometry),
}

/// Why sectors could not be read.
#[derive(Clone, Copy, Debug)]
pub enum DiskError {
    /// The BIOS reports neither extensions nor a geometry.
    NoGeometry {
        /// The BIOS's number of the drive.
        drive: u8,
    },
    /// A read failed each time it was tried.
    Read {
        /// The first sector of the call.
        lba: u32,
        /// What the BIOS left in AH.
        status: u8,
    },
    /// The sector lies beyond the last cylinder that AH=02h can name.
    BeyondChs {
        /// The sector.
        lba: u32,
    },
}

impl fmt::Display for DiskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::NoGeometry { drive } => write!(
                f,
                "the BIOS knows no geometry for drive {drive:02x}h; boot from another port or medium"
            ),
            Self::Read { lba, status } => write!(
                f,
                "sector {lba} could not be read in {TRIES} tries, BIOS status {status:02x}h; \
                 the image may be cut short or the disk damaged"
            ),
            Self::BeyondChs { lba } => write!(
                f,
                "sector {lba} is beyond what this BIOS can address without INT 13h extensions; \
                 use a smaller model or boot as a hard disk"
            ),
        }
    }
}

/// The drive that we booted from.
pub struct Disk {
    drive: u8,
    addressing: Addressing,
    /// The way around the BIOS, while it works.
    bus_master: Option<(BusMaster, Clock)>,
    /// Bytes in the bounce buffer.
    fetched: usize,
}

impl Disk {
    /// Finds out how to read `drive`.
    pub fn open(drive: u8) -> Result<Self, DiskError> {
        let mut ask = registers(CHECK_EXTENSIONS, drive);
        ask.ebx = EXTENSIONS_ASK.into();
        // SAFETY: the service only answers in registers.
        unsafe { bios::call(0x13, &mut ask) };
        if !ask.carry() && ask.ebx as u16 == EXTENSIONS_ANSWER && ask.ecx as u16 & PACKET_ACCESS != 0 {
            return Ok(Self::by_bios(drive, Addressing::Extended));
        }
        let mut shape = registers(GET_PARAMETERS, drive);
        // SAFETY: the same. ES:DI = 0:0 guards against BIOS bugs, says Ralf Brown's list.
        unsafe { bios::call(0x13, &mut shape) };
        match Geometry::from_registers(shape.ecx as u16, shape.edx as u16) {
            Some(geometry) if !shape.carry() => Ok(Self::by_bios(drive, Addressing::Chs(geometry))),
            _ => Err(DiskError::NoGeometry { drive }),
        }
    }

    fn by_bios(drive: u8, addressing: Addressing) -> Self {
        Self { drive, addressing, bus_master: None, fetched: 0 }
    }

    /// Looks for this drive behind a bus master, and reads by that from now on. It is the one whose
    /// sectors at each of `samples` are those that the BIOS reads there.
    ///
    /// # Errors
    /// Where the BIOS cannot read them.
    pub fn find_bus_master(&mut self, clock: &Clock, samples: &[u32]) -> Result<(), DiskError> {
        if self.drive < FIRST_HARD_DISK {
            return Ok(());
        }
        let mut found = None;
        for candidate in BusMaster::candidates().filter(|candidate| candidate.is_disk(clock)) {
            if self.is_same_drive(&candidate, clock, samples)? {
                found = Some((candidate, *clock));
                break;
            }
        }
        self.bus_master = found;
        println!(
            "disk    drive {:02x}h {}",
            self.drive,
            if found.is_some() { "by bus-master DMA" } else { "by the BIOS" }
        );
        Ok(())
    }

    fn is_same_drive(
        &mut self,
        candidate: &BusMaster,
        clock: &Clock,
        samples: &[u32],
    ) -> Result<bool, DiskError> {
        for &lba in samples {
            let sectors = self.fetch(lba, SAMPLE_SECTORS)?;
            let by_bios = self.fetched().to_vec();
            ide::spoil(by_bios.len());
            if candidate.read(clock, lba, sectors).is_err() || self.fetched() != by_bios {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Reads by the bus master, while there is one. What went wrong is said, and the BIOS goes on.
    fn by_bus_master(&mut self, lba: u32, sectors: u32) -> bool {
        let Some((bus_master, clock)) = &self.bus_master else { return false };
        let Err(error) = bus_master.read(clock, lba, sectors) else { return true };
        self.bus_master = None;
        println!("\ndisk    DMA failed at sector {lba}: {error}; the BIOS reads on from there");
        // SAFETY: the service only resets the drive's controller.
        unsafe { bios::call(0x13, &mut registers(RESET, self.drive)) };
        false
    }

    fn retry(&mut self, lba: u32, sectors: u32) -> Result<(), DiskError> {
        let mut status = 0;
        for _ in 0..TRIES {
            match self.attempt(lba, sectors) {
                Ok(()) => return Ok(()),
                Err(failure) => status = failure,
            }
            // SAFETY: the service only resets the drive's controller.
            unsafe { bios::call(0x13, &mut registers(RESET, self.drive)) };
        }
        Err(DiskError::Read { lba, status })
    }

    /// One call. The error is AH.
    fn attempt(&mut self, lba: u32, sectors: u32) -> Result<(), u8> {
        // The BIOS may write to it: how many sectors it has read.
        let mut packet = DiskAddressPacket::new(lba, sectors as u16, BOUNCE_SEGMENT);
        let mut call = match self.addressing {
            Addressing::Extended => {
                let mut call = registers(READ_EXTENDED, self.drive);
                call.esi = (&raw mut packet).expose_provenance() as u32;
                call
            }
            Addressing::Chs(geometry) => {
                let chs = geometry.chs(lba);
                let mut call = registers(READ_CHS | sectors as u16, self.drive);
                call.ecx = chs.cx.into();
                call.edx |= u32::from(chs.head) << 8;
                call.es = BOUNCE_SEGMENT;
                call
            }
        };
        // SAFETY: both forms name the bounce buffer, which holds MAX_SECTORS and is ours; DS:SI is
        // the packet: DS is 0 and the stack lies below 64 KB.
        unsafe { bios::call(0x13, &mut call) };
        if call.carry() { Err((call.eax >> 8) as u8) } else { Ok(()) }
    }
}

impl Disk {
    /// Reads up to `sectors` sectors (at least one) from `lba` on. Returns how many.
    ///
    /// # Errors
    /// What the BIOS said, where all tries failed.
    pub fn fetch(&mut self, lba: u32, sectors: u32) -> Result<u32, DiskError> {
        let sectors = match self.addressing {
            Addressing::Extended => sectors.min(MAX_SECTORS),
            Addressing::Chs(geometry) if lba >= geometry.reaches() => {
                return Err(DiskError::BeyondChs { lba });
            }
            // 63 sectors a track fit the bounce buffer.
            Addressing::Chs(geometry) => sectors.min(geometry.left_in_track(lba)),
        };
        if !self.by_bus_master(lba, sectors) {
            self.retry(lba, sectors)?;
        }
        self.fetched = (sectors * SECTOR) as usize;
        Ok(sectors)
    }

    /// What the last [`Self::fetch`] read.
    pub fn fetched(&self) -> &[u8] {
        // SAFETY: the bounce buffer is memory of ours, and `fetched` at most its size. The BIOS and the
        // bus master write it, but only within `fetch` and `find_bus_master`, which take `&mut self`, so
        // not while this borrow lasts: a call of the BIOS returns after the transfer, and
        // `BusMaster::read` stops the bus master before it returns, also where it failed.
        unsafe { core::slice::from_raw_parts(linear::pointer(BOUNCE.start), self.fetched) }
    }
}

/// Registers for INT 13h: AX and the drive in DL.
fn registers(ax: u16, drive: u8) -> Registers {
    let mut registers = Registers::new(ax.into());
    registers.edx = drive.into();
    registers
}
