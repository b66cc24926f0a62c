//! The first megabyte: who owns which bytes. All addresses are linear.
//!
//! ```text
//! 0x00000  interrupt vector table, BIOS data area (the BIOS's)
//! 0x00600  boot sector, after it moved itself from 0x7C00
//! 0x00800  boot sector's stack, grows down from 0x1000
//! 0x01000  loader, later kernel: rodata, data, bss, stack. Statics must lie below 64 KB: 16-bit code reaches
//!          them by 16-bit addresses
//! 0x10000  loader, later kernel: code, a segment of its own (CS = 0x1000, linked at 0)
//! 0x20000  bounce buffer for BIOS disk reads, aligned so that no read crosses 64 KB
//! 0x30000  free
//! 0x80000  from here up the extended BIOS data area may begin; never touched
//! 0xA0000  video memory and ROMs; text screen at 0xB8000
//! ```

/// A range of linear addresses, `start..end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Region {
    /// First byte.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
}

impl Region {
    /// A region from its first byte and its size in bytes.
    pub const fn new(start: u32, size: u32) -> Self {
        Self { start, end: start + size }
    }

    /// Size in bytes.
    pub const fn size(self) -> u32 {
        self.end - self.start
    }
}

/// Interrupt vector table and BIOS data area: 256 vectors of 4 bytes, then the data area, which
/// some BIOSes use up to 0x5FF.
pub const BIOS_DATA: Region = Region::new(0, 0x600);
/// The boot sector where it runs: 512 bytes.
pub const STAGE1: Region = Region::new(0x600, 0x200);
/// The boot sector's stack; also the BIOS's while it loads the loader.
pub const STAGE1_STACK: Region = Region::new(0x800, 0x800);
/// The rodata, data, bss and stack of the program that runs: the loader, then the kernel.
pub const PROGRAM_DATA: Region = Region::new(0x1000, 0xF000);
/// Where that program's stack begins and grows down from, 16 bytes below 64 KB: SP must not be 0.
pub const STACK_TOP: u32 = PROGRAM_DATA.end - 16;
/// Bytes of stack that no program uses more of, by whatever it does in tests/tests/boot/stack.rs: the loader 6.5 KiB,
/// the others up to 3.4 KiB.
pub const DEEPEST_STACK: u32 = 7 << 10;
/// Bytes of stack for what no test sees: a BIOS's handlers of interrupts run on the program's stack at any depth (MS-DOS
/// kept 9 stacks of 128 bytes for them, its STACKS command), and another BIOS's services may need more.
pub const STACK_MARGIN: u32 = 4 << 10;
/// Bytes that are left for the stack: a program that leaves less does not link.
pub const LEAST_STACK: u32 = DEEPEST_STACK + STACK_MARGIN;
/// What every word of the stack is until it is used: "FREE".
pub const STACK_PAINT: u32 = u32::from_le_bytes(*b"FREE");
/// That program's code: one 64 KB real-mode code segment.
pub const PROGRAM_CODE: Region = Region::new(0x1_0000, 0x1_0000);
/// Where the BIOS puts sectors before they are copied above 1 MiB.
pub const BOUNCE: Region = Region::new(0x2_0000, 0x1_0000);
/// The lowest address at which a BIOS may keep its extended data area (640 KB less 128 KB).
pub const EBDA_LOWEST: u32 = 0x8_0000;

/// The real-mode segment of [`PROGRAM_CODE`].
pub const PROGRAM_CS: u16 = (PROGRAM_CODE.start >> 4) as u16;
/// Where the BIOS loads a boot sector and jumps to it.
pub const BOOT_ADDRESS: u32 = 0x7C00;

/// The regions in order, for the check below and for tests.
pub const REGIONS: [Region; 6] = [BIOS_DATA, STAGE1, STAGE1_STACK, PROGRAM_DATA, PROGRAM_CODE, BOUNCE];

const _: () = {
    let mut i = 1;
    while i < REGIONS.len() {
        assert!(REGIONS[i - 1].end <= REGIONS[i].start, "low memory regions overlap");
        i += 1;
    }
    assert!(REGIONS[REGIONS.len() - 1].end <= EBDA_LOWEST);
    assert!(PROGRAM_DATA.end <= 0x1_0000, "16-bit addresses reach no further");
    assert!(PROGRAM_DATA.end == PROGRAM_CODE.start, "one file holds both");
    assert!(BOUNCE.start.is_multiple_of(0x1_0000), "a BIOS read must not cross 64 KB");
};
