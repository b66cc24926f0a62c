//! The BIOS's disk service, INT 13h, and its two ways to name sectors: by block number (the extensions,
//! "EDD") and by cylinder, head and sector.
//!
//! Source: T13 BIOS Enhanced Disk Drive Services 3.0; Ralf Brown's Interrupt List, INT 13h.

use core::num::{NonZeroU8, NonZeroU32};

/// Function, as AX with AL = 0: resets the drive in DL.
pub const RESET: u16 = 0x0000;
/// Function: reads AL sectors from cylinder, head and sector ([`Chs`]) on to ES:BX.
pub const READ_CHS: u16 = 0x0200;
/// Function: the drive's [`Geometry`], in CX and DX.
pub const GET_PARAMETERS: u16 = 0x0800;
/// Function: whether there are extensions. Wants [`EXTENSIONS_ASK`] in BX.
pub const CHECK_EXTENSIONS: u16 = 0x4100;
/// Function: reads what the [`DiskAddressPacket`] at DS:SI says.
pub const READ_EXTENDED: u16 = 0x4200;
/// BX for [`CHECK_EXTENSIONS`].
pub const EXTENSIONS_ASK: u16 = 0x55AA;
/// What BX then holds where there are extensions.
pub const EXTENSIONS_ANSWER: u16 = 0xAA55;
/// In CX then: [`READ_EXTENDED`] is among them.
pub const PACKET_ACCESS: u16 = 1 << 0;
/// The BIOS's number of the first hard disk; floppies are below.
pub const FIRST_HARD_DISK: u8 = 0x80;

/// What AH=42h (extended read) reads from DS:SI.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct DiskAddressPacket {
    /// Size of this packet: 16.
    pub size: u8,
    /// Zero.
    pub reserved: u8,
    /// Sectors to read; some BIOSes allow no more than 127.
    pub sectors: u16,
    /// Offset of the buffer in its segment.
    pub offset: u16,
    /// Segment of the buffer.
    pub segment: u16,
    /// First sector, counted from the start of the disk.
    pub lba: u32,
    /// The upper half of its number: zero.
    pub lba_high: u32,
}

impl DiskAddressPacket {
    /// A packet that reads `sectors` from `lba` on to `segment:0`.
    pub const fn new(lba: u32, sectors: u16, segment: u16) -> Self {
        Self { size: 16, reserved: 0, sectors, offset: 0, segment, lba, lba_high: 0 }
    }
}

/// A disk's shape as AH=08h reports it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Geometry {
    /// Sectors a track, 1 to 63.
    pub sectors: NonZeroU8,
    /// Highest head number; one less than the number of heads.
    pub last_head: u8,
}

/// A sector by cylinder, head and sector, as the registers of AH=02h hold it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chs {
    /// CX: cylinder bits 0–7 in CH, sector (from 1) in bits 0–5 of CL, cylinder bits 8–9 in bits
    /// 6–7 of CL.
    pub cx: u16,
    /// DH: head, from 0.
    pub head: u8,
}

impl Geometry {
    /// From what AH=08h leaves in CX and DX. `None` if it names no sectors.
    #[inline(always)]
    pub fn from_registers(cx: u16, dx: u16) -> Option<Self> {
        let sectors = NonZeroU8::new(cx as u8 & 0x3F)?;
        Some(Self { sectors, last_head: (dx >> 8) as u8 })
    }

    /// Where sector `lba` is. Cylinders above 1023 do not fit and wrap: see [`Self::reaches`].
    #[inline(always)]
    pub fn chs(self, lba: u32) -> Chs {
        let sectors = NonZeroU32::from(self.sectors);
        let track = lba / sectors;
        let sector = lba % sectors + 1;
        let heads = u32::from(self.last_head) + 1;
        let cylinder = track / heads;
        Chs { cx: (cylinder << 8 | cylinder >> 2 & 0xC0 | sector) as u16, head: (track % heads) as u8 }
    }

    /// Sectors that cylinders 0 to 1023 hold: AH=02h reads no sector beyond.
    pub fn reaches(self) -> u32 {
        1024 * (u32::from(self.last_head) + 1) * u32::from(self.sectors.get())
    }

    /// Sectors from `lba` to the end of its track: what one call may read.
    pub fn left_in_track(self, lba: u32) -> u32 {
        u32::from(self.sectors.get()) - lba % NonZeroU32::from(self.sectors)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn geometry(sectors: u8, last_head: u8) -> Geometry {
        Geometry { sectors: NonZeroU8::new(sectors).unwrap(), last_head }
    }

    /// The other way round, as the BIOS does it.
    fn lba(geometry: Geometry, chs: Chs) -> u32 {
        let cylinder = u32::from(chs.cx >> 8) | u32::from(chs.cx & 0xC0) << 2;
        let heads = u32::from(geometry.last_head) + 1;
        let sectors = u32::from(geometry.sectors.get());
        (cylinder * heads + u32::from(chs.head)) * sectors + u32::from(chs.cx & 0x3F) - 1
    }

    #[test]
    fn chs_names_each_sector_once() {
        for geometry in [geometry(18, 1), geometry(63, 254), geometry(1, 0)] {
            for sector in (0..geometry.reaches()).step_by(7) {
                let chs = geometry.chs(sector);
                assert_eq!(lba(geometry, chs), sector);
                assert!(chs.head <= geometry.last_head);
                assert!((1..=u16::from(geometry.sectors.get())).contains(&(chs.cx & 0x3F)));
            }
        }
    }

    #[test]
    fn a_floppys_second_track_is_the_other_side() {
        let floppy = geometry(18, 1);
        assert_eq!(floppy.chs(18), Chs { cx: 0x0001, head: 1 });
        assert_eq!(floppy.chs(36), Chs { cx: 0x0101, head: 0 });
        assert_eq!(floppy.left_in_track(35), 1);
    }

    #[test]
    fn a_geometry_without_sectors_is_none() {
        assert_eq!(Geometry::from_registers(0xFFC0, 0x0100), None);
        assert_eq!(Geometry::from_registers(0x4F12, 0x0102), Some(geometry(18, 1)));
    }

    #[test]
    fn the_packet_is_sixteen_bytes() {
        assert_eq!(size_of::<DiskAddressPacket>(), 16);
    }
}
