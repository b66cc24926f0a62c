//! Memory maps of real BIOSes and made-up ones, each in several orders: the region that is chosen lies
//! in usable memory, outside all else, and none is larger.
extern crate std;
use crate::e820::{Attributes, CAPACITY, Entry, MapError, MemoryMap, USABLE, UsableRegion};
use std::vec::Vec;

const MIB: u64 = 1 << 20;
const PAGE: u64 = 4096;
const RESERVED: u32 = 2;
const ACPI_DATA: u32 = 3;
const ACPI_NVS: u32 = 4;
const BAD: u32 = 5;

const fn entry(base: u64, length: u64, kind: u32) -> Entry {
    Entry { base, length, kind, attributes: Attributes::ENABLED }
}

/// From its first to its last byte, as Linux prints entries.
const fn span(first: u64, last: u64, kind: u32) -> Entry {
    entry(first, last - first + 1, kind)
}

fn region(entries: impl IntoIterator<Item = Entry>) -> Result<UsableRegion, MapError> {
    let mut map = MemoryMap::new();
    assert!(entries.into_iter().all(|entry| map.push(&entry)));
    map.usable_region()
}

/// The region, which is the same in whatever order and however often the BIOS names its entries.
fn in_any_order(entries: &[Entry]) -> Option<(u64, u64)> {
    let found = region(entries.iter().copied()).ok();
    for first in 0..entries.len() {
        let (tail, head) = (&entries[first..], &entries[..first]);
        assert_eq!(region([tail, head].concat()).ok(), found, "from entry {first} on");
        assert_eq!(region([head, tail].concat().into_iter().rev()).ok(), found, "backwards");
        assert_eq!(region([entries, &tail[..1]].concat()).ok(), found, "entry {first} twice");
    }
    found.map(|region| (region.start.into(), region.end.into()))
}

/// SeaBIOS 1.16.2 in QEMU 7.2: pc with 2 MiB and with 4 GiB, isapc with 64 MiB, q35 with 4 GiB.
#[test]
fn qemus_machines() {
    let low =
        [entry(0, 0x9_FC00, USABLE), entry(0x9_FC00, 0x400, RESERVED), entry(0xF_0000, 0x1_0000, RESERVED)];
    let rom = entry(0xFFFC_0000, 0x4_0000, RESERVED);
    let far = entry(0xFD_0000_0000, 0x3_0000_0000, RESERVED);
    let pc_2 = [entry(MIB, 0xE_0000, USABLE), entry(0x1E_0000, 0x2_0000, RESERVED), rom, far];
    assert_eq!(in_any_order(&[&low[..], &pc_2].concat()), Some((MIB, 0x1E_0000)));
    let pc_4096 = [
        entry(MIB, 0xBFEE_0000, USABLE),
        entry(0xBFFE_0000, 0x2_0000, RESERVED),
        rom,
        entry(1 << 32, 0x4000_0000, USABLE),
        far,
    ];
    assert_eq!(in_any_order(&[&low[..], &pc_4096].concat()), Some((MIB, 0xBFFE_0000)));
    let isapc = [entry(MIB, 0x3F0_0000, USABLE), rom];
    assert_eq!(in_any_order(&[&low[..], &isapc].concat()), Some((MIB, 64 * MIB)));
    let q35 = [
        entry(MIB, 0x7FED_F000, USABLE),
        entry(0x7FFD_F000, 0x2_1000, RESERVED),
        entry(0xB000_0000, 0x1000_0000, RESERVED),
        entry(0xFED1_C000, 0x4000, RESERVED),
        rom,
        entry(1 << 32, 0x8000_0000, USABLE),
        far,
    ];
    assert_eq!(in_any_order(&[&low[..], &q35].concat()), Some((MIB, 0x7FFD_F000)));
}

/// Notebooks whose boot logs stand in github.com/Bumblebee-Project/Bumblebee/issues/654 (as far as
/// quoted) and github.com/stefanpartheym/archlinux-ipu6-webcam/issues/21.
#[test]
fn notebooks() {
    let many_holes = [
        span(0, 0x5_7FFF, USABLE),
        span(0x5_8000, 0x5_8FFF, RESERVED),
        span(0x5_9000, 0x9_DFFF, USABLE),
        span(0x9_E000, 0x9_FFFF, RESERVED),
        span(0x10_0000, 0xAD85_2FFF, USABLE),
        span(0xAD85_3000, 0xAD85_9FFF, ACPI_NVS),
        span(0xAD85_A000, 0xAE0D_2FFF, USABLE),
        span(0xAE0D_3000, 0xAE37_3FFF, RESERVED),
        span(0xAE37_4000, 0xBD8C_5FFF, USABLE),
        span(0xBD8C_6000, 0xBDAC_EFFF, RESERVED),
        span(0xBDAC_F000, 0xBDE0_0FFF, USABLE),
        span(0xBDE0_1000, 0xBEB0_5FFF, ACPI_NVS),
        span(0xBEB0_6000, 0xBEFF_EFFF, RESERVED),
        span(0xBEFF_F000, 0xBEFF_FFFF, USABLE),
    ];
    assert_eq!(in_any_order(&many_holes), Some((MIB, 0xAD85_3000)));
    let all_kinds = [
        span(0x10_0000, 0x57CB_5FFF, USABLE),
        span(0x57CB_6000, 0x5CD1_0FFF, RESERVED),
        span(0x5CD1_1000, 0x5D57_1FFF, ACPI_NVS),
        span(0x5D57_2000, 0x5D7F_EFFF, ACPI_DATA),
        span(0x5D7F_F000, 0x5D7F_FFFF, USABLE),
        span(0x5D80_0000, 0x65FF_FFFF, RESERVED),
        span(0x6640_0000, 0x665F_FFFF, RESERVED),
        span(0x66E0_0000, 0x707F_FFFF, RESERVED),
        span(0xC000_0000, 0xCFFF_FFFF, RESERVED),
        span(0xF900_0000, 0xF9FF_FFFF, RESERVED),
        span(0xFED2_0000, 0xFED7_FFFF, RESERVED),
        span(0xFF00_0000, 0xFFFF_FFFF, RESERVED),
        span(0x1_0000_0000, 0x8_8F7F_FFFF, USABLE),
    ];
    assert_eq!(in_any_order(&all_kinds), Some((MIB, 0x57CB_6000)));
}

#[test]
fn made_up_maps() {
    // The ISA hole of old chipsets, and more behind it than before.
    let isa_hole =
        [entry(0, 640 << 10, USABLE), entry(MIB, 14 * MIB, USABLE), entry(16 * MIB, 48 * MIB, USABLE)];
    assert_eq!(in_any_order(&isa_hole), Some((16 * MIB, 64 * MIB)));
    // One entry from 0 to the end, with all that is not memory on top of it.
    let on_top = [
        entry(0, 64 * MIB, USABLE),
        entry(640 << 10, 384 << 10, RESERVED),
        entry(63 * MIB, MIB, ACPI_DATA),
        entry(40 * MIB + 7, 1, BAD),
    ];
    assert_eq!(in_any_order(&on_top), Some((MIB, 40 * MIB)));
    // Kinds that no specification names are not ours.
    assert_eq!(
        in_any_order(&[entry(MIB, MIB, 7), entry(2 * MIB, MIB, 0), entry(3 * MIB, MIB, u32::MAX)]),
        None
    );
    assert_eq!(in_any_order(&[entry(0, MIB, USABLE), entry(1 << 32, 1 << 40, USABLE)]), None);
    // All of memory is reserved a second time.
    assert_eq!(in_any_order(&[entry(MIB, 8 * MIB, USABLE), entry(0, u64::MAX, RESERVED)]), None);
}

/// What the doc comment says, page by page: no boundaries, no order.
fn largest_by_pages(entries: &[Entry], pages: u64) -> u64 {
    let overlaps = |entry: &Entry, page: u64| {
        let (start, end) = (page * PAGE, (page + 1) * PAGE);
        entry.base < end && start < entry.base + entry.length
    };
    let (mut largest, mut run) = (0, 0);
    for page in MIB / PAGE..pages {
        let mut touching = entries.iter().filter(|entry| overlaps(entry, page)).peekable();
        let usable = touching.peek().is_some() && touching.all(|entry| entry.kind == USABLE);
        run = if usable { run + PAGE } else { 0 };
        largest = largest.max(run);
    }
    largest
}

/// Seeded maps of whole pages with overlaps and holes, against a search through every page.
#[test]
fn random_maps_against_every_page() {
    const PAGES: u64 = 1024;
    let mut state = 1_u64;
    let mut below = |bound: u64| {
        // Knuth's MMIX generator; its high bits are the good ones.
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % bound
    };
    let mut found = 0;
    for _ in 0..500 {
        let entries: Vec<Entry> = (0..1 + below(12))
            .map(|_| {
                let first = below(PAGES);
                let length = below((PAGES - first).min(300) + 1);
                entry(first * PAGE, length * PAGE, [USABLE, USABLE, USABLE, RESERVED][below(4) as usize])
            })
            .collect();
        let size = region(entries.iter().copied()).map_or(0, |region| u64::from(region.size()));
        assert_eq!(size, largest_by_pages(&entries, PAGES), "{entries:x?}");
        found += u32::from(size > 0);
    }
    assert!(found > 300, "too few maps with memory to mean anything: {found}");
}

#[test]
fn as_many_entries_as_there_is_room_for() {
    let islands = (1..=CAPACITY as u64).map(|i| entry(i * MIB, i * PAGE, USABLE));
    let last = CAPACITY as u64 * MIB;
    let found = region(islands).unwrap();
    assert_eq!((u64::from(found.start), u64::from(found.size())), (last, CAPACITY as u64 * PAGE));
}
