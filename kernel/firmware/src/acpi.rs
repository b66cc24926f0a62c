//! Which processors the machine has, from ACPI's tables.
//!
//! Source: ACPI specification 6.5: 5.2.5 (finding the RSDP), 5.2.7 (RSDT), 5.2.12 (MADT).

use core::ops::Range;
use map::low_memory::EBDA_LOWEST;

/// Physical memory, as far as tables are read from it.
pub trait Memory {
    /// Copies the bytes from `address` on. They are of the BIOS's data areas, of its ROM, or of a table whose address
    /// stands in a table that adds up; never of what may be a device's registers, where reading has effects.
    fn read(&self, address: u32, out: &mut [u8]);
}

/// Most processors that are listed; the rest is left out.
pub const MAX_PROCESSORS: usize = 16;
/// "RSD PTR ", at a multiple of 16.
const RSDP_SIGNATURE: [u8; 8] = *b"RSD PTR ";
const RSDP_STEP: u32 = 16;
/// The RSDP's first version: 20 bytes that add up to 0, the RSDT's address at 16.
const RSDP_BYTES: usize = 20;
const RSDP_RSDT: usize = 16;
/// The word that holds the extended BIOS data area's segment.
const EBDA_SEGMENT: u32 = 0x40E;
/// Where it may be: below video memory. How much of it is searched, and where else.
const EBDA: Range<u32> = EBDA_LOWEST..0xA_0000 - EBDA_BYTES + 1;
const EBDA_BYTES: u32 = 1024;
const ROM: Range<u32> = 0xE_0000..0x10_0000;
/// Each table: signature, length at 4, then up to 36 bytes of header.
const HEADER_BYTES: u32 = 36;
const HEADER_LENGTH: usize = 4;
/// A table longer than this is not believed.
const LONGEST_TABLE: u32 = 1 << 16;
const MADT_SIGNATURE: [u8; 4] = *b"APIC";
/// After the MADT's header: the local APIC's address, flags.
const MADT_LOCAL_APIC: u32 = 36;
const MADT_ENTRIES: u32 = 44;
/// An entry: type, length; type 0 is a processor with a local APIC: its APIC id at 3, flags at 4.
const ENTRY_LOCAL_APIC: u8 = 0;
const ENTRY_LOCAL_APIC_BYTES: u8 = 8;
/// Flag of such an entry: the processor is there.
const ENABLED: u8 = 1;

/// The machine's processors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProcessorList {
    /// Where every processor sees its own local APIC.
    pub local_apic: u32,
    ids: [u8; MAX_PROCESSORS],
    count: usize,
    /// How many the tables list in all.
    pub listed: usize,
}

impl ProcessorList {
    /// The APIC ids, [`MAX_PROCESSORS`] at most.
    pub fn ids(&self) -> &[u8] {
        &self.ids[..self.count]
    }

    /// Reads the tables; `None` if there are none that can be believed.
    pub fn find(memory: &impl Memory) -> Option<Self> {
        let rsdt = find_rsdt(memory)?;
        let length = table_length(memory, rsdt, *b"RSDT")?;
        (HEADER_BYTES..length & !3) // whole entries
            .step_by(size_of::<u32>())
            .filter_map(|at| rsdt.checked_add(at).map(|at| word(memory, at)))
            .find_map(|table| Self::from_madt(memory, table))
    }

    fn from_madt(memory: &impl Memory, madt: u32) -> Option<Self> {
        let length = table_length(memory, madt, MADT_SIGNATURE).filter(|&length| length >= MADT_ENTRIES)?;
        let local_apic = word(memory, madt + MADT_LOCAL_APIC);
        let mut found = Self { local_apic, ids: [0; MAX_PROCESSORS], count: 0, listed: 0 };
        let mut at = MADT_ENTRIES;
        while at + u32::from(ENTRY_LOCAL_APIC_BYTES) <= length {
            let mut entry = [0; ENTRY_LOCAL_APIC_BYTES as usize];
            memory.read(madt + at, &mut entry);
            let [kind, size, _, id, flags, ..] = entry;
            if kind == ENTRY_LOCAL_APIC && size == ENTRY_LOCAL_APIC_BYTES && flags & ENABLED != 0 {
                found.add(id);
            }
            at += u32::from(size.max(2)); // a length of 0 must not hold us up
        }
        Some(found)
    }

    fn add(&mut self, id: u8) {
        self.listed += 1;
        if let Some(slot) = self.ids.get_mut(self.count) {
            *slot = id;
            self.count += 1;
        }
    }
}

/// The RSDT's address, from the RSDP that the BIOS left.
fn find_rsdt(memory: &impl Memory) -> Option<u32> {
    let mut segment = [0; 2];
    memory.read(EBDA_SEGMENT, &mut segment);
    let ebda = u32::from(u16::from_le_bytes(segment)) << 4;
    let places = [if EBDA.contains(&ebda) { ebda..ebda + EBDA_BYTES } else { 0..0 }, ROM];
    places.into_iter().find_map(|mut place| {
        while place.len() >= RSDP_BYTES {
            let mut rsdp = [0; RSDP_BYTES];
            memory.read(place.start, &mut rsdp);
            let sum = rsdp.iter().fold(0u8, |sum, &byte| sum.wrapping_add(byte));
            if rsdp.starts_with(&RSDP_SIGNATURE) && sum == 0 {
                return Some(u32::from_le_bytes([rsdp[RSDP_RSDT], rsdp[17], rsdp[18], rsdp[19]]));
            }
            place.start += RSDP_STEP;
        }
        None
    })
}

/// The length of the table at `address`, if it is the one that is looked for and adds up to 0.
fn table_length(memory: &impl Memory, address: u32, signature: [u8; 4]) -> Option<u32> {
    let mut start = [0; 8];
    memory.read(address, &mut start);
    let length = u32::from_le_bytes([start[HEADER_LENGTH], start[5], start[6], start[7]]);
    let believable = start.starts_with(&signature) && (HEADER_BYTES..=LONGEST_TABLE).contains(&length);
    address.checked_add(length).filter(|_| believable)?;
    let mut sum = 0u8;
    for at in 0..length {
        let mut byte = [0];
        memory.read(address + at, &mut byte);
        sum = sum.wrapping_add(byte[0]);
    }
    (sum == 0).then_some(length)
}

fn word(memory: &impl Memory, address: u32) -> u32 {
    let mut bytes = [0; 4];
    memory.read(address, &mut bytes);
    u32::from_le_bytes(bytes)
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::vec::Vec;

    /// A megabyte and a bit. Nothing else may be read, nor video memory and what is on cards.
    struct Fake(Vec<u8>);

    impl Memory for Fake {
        fn read(&self, address: u32, out: &mut [u8]) {
            let at = address as usize..address as usize + out.len();
            assert!(at.end <= 0xA_0000 || at.start >= 0xE_0000, "{at:x?} is read");
            out.copy_from_slice(&self.0[at]);
        }
    }

    /// A megabyte and a bit of zeros.
    fn empty() -> Fake {
        Fake(std::vec![0; 0x10_1000])
    }

    fn with_checksum(mut table: Vec<u8>, at: usize) -> Vec<u8> {
        let sum = table.iter().fold(0u8, |sum, &byte| sum.wrapping_add(byte));
        table[at] = table[at].wrapping_sub(sum);
        table
    }

    fn table(signature: &[u8; 4], body: &[u8]) -> Vec<u8> {
        let mut table = signature.to_vec();
        table.extend((36 + body.len() as u32).to_le_bytes());
        table.resize(36, 0);
        table.extend(body);
        with_checksum(table, 9)
    }

    const RSDT_AT: usize = 0x10_0100;
    const MADT_AT: usize = 0x10_0200;

    fn machine(rsdp_at: usize, entries: &[&[u8]]) -> Fake {
        let Fake(mut memory) = empty();
        memory[0x40E..0x410].copy_from_slice(&0x9FC0u16.to_le_bytes());
        let mut rsdp = b"RSD PTR \0UNREAL\0".to_vec();
        rsdp.extend((RSDT_AT as u32).to_le_bytes());
        memory[rsdp_at..rsdp_at + 20].copy_from_slice(&with_checksum(rsdp, 8));
        let mut body = 0xFEE0_0000u32.to_le_bytes().to_vec();
        body.extend([1, 0, 0, 0]);
        entries.iter().for_each(|entry| body.extend(*entry));
        let madt = table(b"APIC", &body);
        memory[MADT_AT..MADT_AT + madt.len()].copy_from_slice(&madt);
        let facp = 0x10_0180u32; // a table that is not there
        let pointers: Vec<u8> = [facp, MADT_AT as u32].into_iter().flat_map(u32::to_le_bytes).collect();
        let rsdt = table(b"RSDT", &pointers);
        memory[RSDT_AT..RSDT_AT + rsdt.len()].copy_from_slice(&rsdt);
        Fake(memory)
    }

    #[test]
    fn enabled_processors_are_listed() {
        let io_apic: &[u8] = &[1, 12, 2, 0, 0, 0, 0xC0, 0xFE, 0, 0, 0, 0];
        let entries: [&[u8]; 4] =
            [&[0, 8, 0, 0, 1, 0, 0, 0], io_apic, &[0, 8, 1, 4, 1, 0, 0, 0], &[0, 8, 2, 6, 0, 0, 0, 0]];
        for rsdp_at in [0x9_FC10, 0xF_5A80] {
            let found = ProcessorList::find(&machine(rsdp_at, &entries)).unwrap();
            assert_eq!((found.ids(), found.listed, found.local_apic), (&[0, 4][..], 2, 0xFEE0_0000));
        }
    }

    #[test]
    fn more_than_fit_are_counted() {
        let entries: Vec<[u8; 8]> = (0..20).map(|id| [0, 8, id, id, 1, 0, 0, 0]).collect();
        let entries: Vec<&[u8]> = entries.iter().map(|entry| &entry[..]).collect();
        let found = ProcessorList::find(&machine(0xE_0000, &entries)).unwrap();
        assert_eq!((found.ids().len(), found.listed), (MAX_PROCESSORS, 20));
    }

    #[test]
    fn tables_that_do_not_add_up_are_not_believed() {
        let good = machine(0xF_0000, &[&[0, 8, 0, 0, 1, 0, 0, 0]]);
        assert!(ProcessorList::find(&good).is_some());
        for broken in [0xF_0009, RSDT_AT + 12, MADT_AT + 40, MADT_AT + 4] {
            let mut memory = Fake(good.0.clone());
            memory.0[broken] ^= 0x40;
            assert_eq!(ProcessorList::find(&memory), None, "{broken:#x}");
        }
        assert_eq!(ProcessorList::find(&empty()), None);
    }

    #[test]
    fn an_ebda_that_cannot_be_is_not_searched() {
        for segment in [0u16, 0x40, 0x7FFF, 0x9FC1, 0xA000, 0xB800, 0xFFFF] {
            let mut memory = machine(0xF_0000, &[&[0, 8, 0, 3, 1, 0, 0, 0]]);
            memory.0[0x40E..0x410].copy_from_slice(&segment.to_le_bytes());
            assert_eq!(ProcessorList::find(&memory).unwrap().ids(), [3]);
        }
    }

    #[test]
    fn nothing_behind_a_short_table_is_read() {
        let mut memory = machine(0xF_0000, &[]);
        let end = memory.0.len() - 38;
        memory.0[end..].copy_from_slice(&table(b"APIC", &[1, 2]));
        let rsdt = table(b"RSDT", &[&(end as u32).to_le_bytes()[..], &[0; 3]].concat());
        memory.0[RSDT_AT..RSDT_AT + rsdt.len()].copy_from_slice(&rsdt);
        assert_eq!(ProcessorList::find(&memory), None);
    }

    #[test]
    fn an_entry_of_length_0_does_not_hold_us_up() {
        let found = ProcessorList::find(&machine(0xF_0000, &[&[0; 8], &[0, 8, 0, 3, 1, 0, 0, 0]])).unwrap();
        assert_eq!(found.ids(), [3]);
    }
}
