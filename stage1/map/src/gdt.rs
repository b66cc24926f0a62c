//! The global descriptor table of the detour into unreal mode.
//!
//! A data segment loaded in protected mode keeps its limit when the CPU goes back to real mode:
//! segment registers change only the base there (Intel SDM vol. 3A, 9.9.2). So the detour loads
//! all data segments with [`FLAT_DATA`] and returns. Code takes part by two far jumps, because some
//! 386s keep executing with protected-mode rights until CS is loaded again.
use x86_64::structures::gdt::DescriptorFlags;

/// Base 0, limit 4 GB, writable. Its D/B bit is clear, so that pushes go through SP as real mode
/// expects, not through ESP.
pub const FLAT_DATA: u64 = DescriptorFlags::KERNEL_DATA.difference(DescriptorFlags::DEFAULT_SIZE).bits();

/// A 16-bit code segment of 64 KB at the linear address `base`.
pub const fn code16(base: u32) -> u64 {
    let flags = DescriptorFlags::KERNEL_CODE32
        .difference(DescriptorFlags::DEFAULT_SIZE)
        .difference(DescriptorFlags::GRANULARITY)
        .difference(DescriptorFlags::LIMIT_16_19);
    let base = base as u64;
    flags.bits() | (base & 0xFF_FFFF) << 16 | (base >> 24) << 56
}

/// Selector of the code segment: the table's entry 1.
pub const CODE_SELECTOR: u16 = 8;
/// Selector of [`FLAT_DATA`]: the table's entry 2.
pub const DATA_SELECTOR: u16 = 16;

/// The table: the null entry, code at `code_base`, flat data.
pub const fn table(code_base: u32) -> [u64; 3] {
    [0, code16(code_base), FLAT_DATA]
}

/// What LGDT reads: size less one, linear address (Intel SDM vol. 2A, LGDT).
#[repr(C, packed)]
#[derive(Clone, Copy, Debug)]
pub struct TablePointer {
    /// Bytes of the table less one.
    pub limit: u16,
    /// Linear address of the table.
    pub base: *const [u64; 3],
}

// SAFETY: the pointer is only ever read by LGDT; it names an immutable static.
unsafe impl Sync for TablePointer {}

impl TablePointer {
    /// Points at `table`.
    pub const fn new(table: &'static [u64; 3]) -> Self {
        Self { limit: size_of::<[u64; 3]>() as u16 - 1, base: table }
    }
}

const _: () = {
    assert!(FLAT_DATA == 0x008F_9300_0000_FFFF);
    assert!(code16(0x1_0000) == 0x0000_9B01_0000_FFFF);
};
