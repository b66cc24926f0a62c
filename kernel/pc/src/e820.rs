//! Asking the BIOS for its memory map (INT 15h, AX=E820h).
use crate::bios::{self, Registers};
use firmware::e820::{ENTRY_BYTES, Entry, MemoryMap};

/// The service.
const E820: u32 = 0xE820;
/// "SMAP" in EDX asks, in EAX answers.
const SMAP: u32 = 0x534D_4150;
/// Calls at most: some BIOSes never say that an entry was the last.
const CALLS: usize = 1024;

/// The map; empty if the BIOS has none.
pub fn map() -> MemoryMap {
    let mut map = MemoryMap::new();
    let mut continuation = 0;
    for _ in 0..CALLS {
        let mut entry = Entry::EMPTY;
        let mut registers = Registers::new(E820);
        registers.ebx = continuation;
        registers.ecx = ENTRY_BYTES;
        registers.edx = SMAP;
        registers.edi = (&raw mut entry).expose_provenance() as u32;
        // SAFETY: ES:DI is `entry`: ES is 0 and the stack lies below 64 KB. ECX is its size.
        unsafe { bios::call(0x15, &mut registers) };
        // Some BIOSes set carry together with the last entry, so that one is not taken then.
        if registers.carry() || registers.eax != SMAP || !map.push(&entry) || registers.ebx == 0 {
            break;
        }
        continuation = registers.ebx;
    }
    map
}
