//! The BIOS's memory map: which addresses are memory that we may use.
//!
//! A map may be unsorted, overlap itself, have holes, wrap, or mark entries as void; what anyone
//! calls reserved is not used. Source: ACPI specification 6.5, chapter 15.
use bitflags::bitflags;
use core::fmt;

/// Entries that are kept; real machines report about 20.
pub const CAPACITY: usize = 128;
/// Bytes of an entry with extended attributes.
pub const ENTRY_BYTES: u32 = 24;
/// An entry's kind: memory that the system may use.
pub const USABLE: u32 = 1;
/// Where extended memory begins.
const ONE_MEGABYTE: u64 = 1 << 20;
/// 32-bit addresses reach no further. The last page is left out: a pointer past its end would be 0.
const REACH: u64 = (1 << 32) - PAGE as u64;
/// Regions begin and end at multiples of this.
const PAGE: u32 = 4096;

bitflags! {
    /// Extended attributes of an entry.
    #[repr(transparent)]
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Attributes: u32 {
        /// Clear: ignore the entry.
        const ENABLED = 1 << 0;
        /// Keeps its contents without power.
        const NON_VOLATILE = 1 << 1;
        /// Slow to access.
        const SLOW = 1 << 2;
        /// Hardware errors are logged here.
        const ERROR_LOG = 1 << 3;
    }
}

/// One entry, as the BIOS writes it.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// First address.
    pub base: u64,
    /// Size in bytes.
    pub length: u64,
    /// [`USABLE`], or any other number for what is not.
    pub kind: u32,
    /// Extended attributes; BIOSes before ACPI 3 do not write them.
    pub attributes: Attributes,
}

const _: () = assert!(size_of::<Entry>() == ENTRY_BYTES as usize);

impl Entry {
    /// What a BIOS that does not write all fields leaves standing.
    pub const EMPTY: Self = Self { base: 0, length: 0, kind: 0, attributes: Attributes::ENABLED };

    fn is_void(&self) -> bool {
        self.length == 0 || !self.attributes.contains(Attributes::ENABLED)
    }
}

/// Usable memory above 1 MiB and below 4 GiB, `start..end`, at multiples of 4 KiB.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UsableRegion {
    /// First address.
    pub start: u32,
    /// One past the last address.
    pub end: u32,
}

impl UsableRegion {
    /// The whole pages in `start..end`.
    fn from_pages_in(start: u32, end: u32) -> Self {
        let (start, end) = (start.next_multiple_of(PAGE), end / PAGE * PAGE);
        Self { start, end: end.max(start) }
    }

    /// Size in bytes.
    pub fn size(self) -> u32 {
        self.end - self.start
    }
}

/// Why a map gives no region.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MapError {
    /// No usable memory between 1 MiB and 4 GiB.
    NoMemory {
        /// Entries in the map.
        entries: usize,
    },
    /// There are more than [`CAPACITY`] entries. One that was not kept may reserve what another calls usable.
    TooLong,
}

impl fmt::Display for MapError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoMemory { entries } => write!(
                f,
                "the BIOS's memory map (INT 15h, AX=E820h; {entries} entries) names no usable memory \
                 between 1 MiB and 4 GiB; give the machine more memory"
            ),
            Self::TooLong => write!(
                f,
                "the BIOS's memory map (INT 15h, AX=E820h) does not end after {CAPACITY} entries above \
                 1 MiB; what it calls usable cannot be trusted; try another BIOS or its other settings"
            ),
        }
    }
}

/// What of an entry lies in our reach, `start..end`.
#[derive(Clone, Copy)]
struct Range {
    start: u32,
    end: u32,
    usable: bool,
}

/// The entries of a map, as far as 32-bit addresses reach.
pub struct MemoryMap {
    ranges: [Range; CAPACITY],
    len: usize,
    /// An entry was not kept.
    too_long: bool,
}

impl MemoryMap {
    /// Without entries.
    pub const fn new() -> Self {
        Self { ranges: [Range { start: 0, end: 0, usable: false }; CAPACITY], len: 0, too_long: false }
    }

    /// Adds an entry; void ones and what is out of reach are dropped. `false` if there is no room
    /// for it. An entry that wraps ends with the address space.
    pub fn push(&mut self, entry: &Entry) -> bool {
        let start = entry.base.max(ONE_MEGABYTE);
        let end = entry.base.saturating_add(entry.length).min(REACH);
        if entry.is_void() || start >= end {
            return true;
        }
        let Some(range) = self.ranges.get_mut(self.len) else {
            self.too_long = true;
            return false;
        };
        *range = Range { start: start as u32, end: end as u32, usable: entry.kind == USABLE };
        self.len += 1;
        true
    }

    /// The largest region that we can use: between two neighbouring ends of entries an address is
    /// usable if some entry says so and none says otherwise; neighbours join.
    pub fn usable_region(&self) -> Result<UsableRegion, MapError> {
        if self.too_long {
            return Err(MapError::TooLong);
        }
        let mut largest = UsableRegion::default();
        let mut run_start = ONE_MEGABYTE as u32;
        let mut start = run_start;
        while let Some(end) = self.next_boundary(start) {
            if self.is_usable(start, end) {
                let run = UsableRegion::from_pages_in(run_start, end);
                if run.size() > largest.size() {
                    largest = run;
                }
            } else {
                run_start = end;
            }
            start = end;
        }
        if largest.size() > 0 { Ok(largest) } else { Err(MapError::NoMemory { entries: self.len }) }
    }

    /// How many entries above 1 MiB are usable, and how many are anything else.
    pub fn count(&self) -> (usize, usize) {
        let usable = self.ranges().iter().filter(|range| range.usable).count();
        (usable, self.len - usable)
    }

    fn ranges(&self) -> &[Range] {
        &self.ranges[..self.len]
    }

    fn is_usable(&self, start: u32, end: u32) -> bool {
        let mut covered = false;
        for range in self.ranges().iter().filter(|range| range.start <= start && end <= range.end) {
            if !range.usable {
                return false;
            }
            covered = true;
        }
        covered
    }

    /// The next address above `address` at which some entry begins or ends.
    fn next_boundary(&self, address: u32) -> Option<u32> {
        let mut next = None;
        for range in self.ranges() {
            for end in [range.start, range.end] {
                if end > address && next.is_none_or(|next| end < next) {
                    next = Some(end);
                }
            }
        }
        next
    }
}

impl Default for MemoryMap {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;
    const RESERVED: u32 = 2;

    fn entry(base: u64, length: u64, kind: u32) -> Entry {
        Entry { base, length, kind, ..Entry::EMPTY }
    }

    fn map(entries: &[Entry]) -> MemoryMap {
        let mut map = MemoryMap::new();
        assert!(entries.iter().all(|entry| map.push(entry)));
        map
    }

    fn largest(entries: &[Entry]) -> Option<(u64, u64)> {
        map(entries).usable_region().ok().map(|region| (region.start.into(), region.end.into()))
    }

    /// Recorded from QEMU's default machine.
    const PC_128: [Entry; 6] = [
        entry_const(0, 0x9FC00, 1),
        entry_const(0x9FC00, 0x400, 2),
        entry_const(0xF0000, 0x10000, 2),
        entry_const(0x10_0000, 0x7EE_0000, 1),
        entry_const(0x7FE_0000, 0x2_0000, 2),
        entry_const(0xFFFC_0000, 0x4_0000, 2),
    ];

    const fn entry_const(base: u64, length: u64, kind: u32) -> Entry {
        Entry { base, length, kind, attributes: Attributes::ENABLED }
    }

    #[test]
    fn a_pc_of_128_mb() {
        assert_eq!(largest(&PC_128), Some((MIB, 0x7FE_0000)));
    }

    #[test]
    fn the_hole_below_4_gb_and_memory_above() {
        let q35 = [
            entry(MIB, 0x7FEE_0000 - MIB, USABLE),
            entry(0x7FEE_0000, 0x2_0000, RESERVED),
            entry(0xB000_0000, 0x1000_0000, RESERVED),
            entry(1 << 32, 0x8000_0000, USABLE),
        ];
        assert_eq!(largest(&q35), Some((MIB, 0x7FEE_0000)));
    }

    #[test]
    fn reserved_entries_win_where_entries_overlap() {
        let entries = [entry(0, 64 * MIB, USABLE), entry(16 * MIB, MIB, RESERVED)];
        assert_eq!(largest(&entries), Some((17 * MIB, 64 * MIB)));
        let unsorted = [entry(40 * MIB, 8 * MIB, RESERVED), entry(0, 64 * MIB, USABLE)];
        assert_eq!(largest(&unsorted), Some((MIB, 40 * MIB)));
    }

    #[test]
    fn neighbours_and_overlaps_join() {
        let neighbours = [entry(32 * MIB, 32 * MIB, USABLE), entry(0, 32 * MIB, USABLE)];
        assert_eq!(largest(&neighbours), Some((MIB, 64 * MIB)));
        let overlaps = [entry(0, 40 * MIB, USABLE), entry(32 * MIB, 32 * MIB, USABLE)];
        assert_eq!(largest(&overlaps), Some((MIB, 64 * MIB)));
    }

    #[test]
    fn void_entries_do_not_count() {
        let mut disabled = entry(0, 64 * MIB, USABLE);
        disabled.attributes = Attributes::empty();
        assert_eq!(largest(&[disabled]), None);
        assert_eq!(largest(&[entry(2 * MIB, 0, USABLE)]), None);
        assert_eq!(largest(&[]), None);
    }

    #[test]
    fn an_entry_to_the_end_of_the_address_space() {
        let last_page = (1 << 32) - 4096;
        assert_eq!(largest(&[entry(MIB, u64::MAX, USABLE)]), Some((MIB, last_page)));
        assert_eq!(largest(&[entry(1 << 32, MIB, USABLE)]), None);
    }

    #[test]
    fn odd_ends_are_rounded_inwards() {
        assert_eq!(largest(&[entry(MIB + 1, 8 * MIB, USABLE)]), Some((MIB + 4096, 9 * MIB)));
        assert_eq!(largest(&[entry(2 * MIB + 1, 4096, USABLE)]), None);
    }

    #[test]
    fn a_map_that_does_not_fit_says_so() {
        let mut map = MemoryMap::new();
        for index in 0..CAPACITY as u64 {
            assert!(map.push(&entry((index + 1) * MIB, MIB / 2, USABLE)));
        }
        assert!(map.usable_region().is_ok());
        assert!(!map.push(&entry(0, 2 * MIB, USABLE)));
        assert_eq!(map.usable_region(), Err(MapError::TooLong));
    }
}
