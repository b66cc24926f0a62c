//! A BIOS that misbehaves: fault injection below the machine under test.
//!
//! It is a floppy that goes in first. Its boot sector puts handlers in front of the real BIOS's INT
//! 10h, 13h, 15h and 16h (`handlers.s`) and of those for devices' interrupts (`devices.s`), loads the hard
//! disk's boot sector, and starts it as a BIOS would. What the handlers do is set by [`Faults`]. So a
//! machine can be had that no emulator offers: without INT 13h extensions, with a strange memory map, with a
//! sector that reads well at the third try, or with a BIOS that sets the segment limits back to 64 KB in
//! every call or every interrupt, as real ones may.
//!
//! The handlers live at 0x70000, which the memory map leaves free. They are assembled here by Rust's
//! own assembler, so they need an x86 host.
use core::arch::global_asm;

use crate::Error;

/// What the BIOS does wrong. By default nothing.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    /// INT 13h has no extensions: AH=41h, 42h and 48h fail with "invalid function".
    pub no_extensions: bool,
    /// INT 13h knows no geometry of any drive: AH=08h fails with "invalid function".
    pub no_geometry: bool,
    /// After each call of INT 10h, 13h, 15h or 16h, all data segments have 64 KB limits.
    pub reset_limits: bool,
    /// After each interrupt of a device ([`IRQS`]), all data segments have 64 KB limits. From the kernel's
    /// first look for a key on, all of these come again and again; when it switches the machine off, their
    /// numbers are told on the serial port ([`irq_counts`]).
    pub irqs_reset_limits: bool,
    /// A20 is closed when the boot sector starts.
    pub close_a20: bool,
    /// Extended reads of one sector fail.
    pub bad_sector: Option<BadSector>,
    /// The IDE controller's bus master has no ports: base address register 4 is 0. For QEMU's pc.
    pub no_bus_master_ports: bool,
    /// The timer's counter 0 makes a square wave (mode 3), as some BIOSes have it: it counts down by two.
    pub square_wave: bool,
    /// INT 16h, AH=00h and 01h throw away keys that came with the 101-key keyboard, F11 and F12, and
    /// AH=00h waits for another.
    pub swallows_new_keys: bool,
    /// INT 16h has no AH=10h and above, and says so at 0040:0096.
    pub no_enhanced_keys: bool,
    /// What INT 15h, AX=E820h reports instead of the machine's own map. Empty: the machine's own.
    pub memory_map: Vec<Range>,
}

/// A sector that cannot be read.
#[derive(Clone, Copy, Debug)]
pub struct BadSector {
    /// Its number on the disk.
    pub lba: u32,
    /// How many reads that touch it fail; `None` for all.
    pub times: Option<u8>,
    /// What INT 13h gives in AH.
    pub status: u8,
}

/// An entry of the memory map (ACPI 6.5, 15.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// First byte.
    pub base: u64,
    /// Bytes.
    pub length: u64,
    /// 1 usable, 2 reserved, 3 ACPI tables, 4 ACPI non-volatile, 5 bad.
    pub kind: u32,
}

/// The lines whose interrupts the BIOS handles and can bring about: clock, keyboard, floppy, CMOS clock
/// (1024 Hz), PS/2 mouse, disk. COM1's is the program's own.
pub const IRQS: [u8; 6] = [0, 1, 6, 8, 12, 14];

/// How many came on each of [`IRQS`], as the end of a serial log says.
pub fn irq_counts(log: &[u8]) -> Option<[u16; IRQS.len()]> {
    let log = String::from_utf8_lossy(log);
    let mut words = log.rsplit_once("irqs")?.1.split_whitespace();
    let counts = words.by_ref().map_while(|word| u16::from_str_radix(word, 16).ok());
    counts.collect::<Vec<_>>().try_into().ok()
}

/// Bytes of a 1.44 MB floppy.
const FLOPPY: usize = 1_474_560;
/// Bytes of a sector.
const SECTOR: usize = 512;
/// Sectors of the handlers behind the boot sector; `sectors` in the assembly.
const HANDLER_SECTORS: usize = 5;
/// Where the settings lie in the handlers: at their start, behind a jump over them.
const SETTINGS: usize = 4;
/// How many entries a memory map may have; `MAP_ENTRIES` in the assembly.
const MAP_ENTRIES: usize = 24;
/// Bytes of an entry.
const ENTRY: usize = 20;

impl Faults {
    /// The floppy.
    ///
    /// # Errors
    /// [`Error::Missing`] if the host is no x86 and so cannot assemble it.
    ///
    /// # Panics
    /// If the memory map has more than 24 entries.
    pub fn floppy(&self) -> Result<Vec<u8>, Error> {
        assert!(self.memory_map.len() <= MAP_ENTRIES, "at most {MAP_ENTRIES} entries");
        let (boot_sector, handlers) = code().ok_or_else(|| Error::Missing {
            program: "an assembler for x86".into(),
            hint: "rustc has one on x86 hosts only",
        })?;
        let mut floppy = vec![0; FLOPPY];
        floppy[..boot_sector.len()].copy_from_slice(boot_sector);
        floppy[SECTOR - 2..SECTOR].copy_from_slice(&[0x55, 0xAA]);
        let resident = &mut floppy[SECTOR..][..HANDLER_SECTORS * SECTOR];
        resident[..handlers.len()].copy_from_slice(handlers);
        let settings = self.settings();
        resident[SETTINGS..][..settings.len()].copy_from_slice(&settings);
        Ok(floppy)
    }

    /// As the assembly's `settings:` lists them.
    fn settings(&self) -> Vec<u8> {
        const ALWAYS: u8 = 0xFF;
        let mut bytes = vec![
            self.no_extensions.into(),
            self.no_geometry.into(),
            self.reset_limits.into(),
            self.close_a20.into(),
        ];
        bytes.push(self.irqs_reset_limits.into());
        let bad = self.bad_sector.unwrap_or(BadSector { lba: 0, times: Some(0), status: 0 });
        bytes.push(bad.times.unwrap_or(ALWAYS));
        bytes.push(bad.status);
        bytes.push(self.memory_map.len() as u8);
        bytes.extend(bad.lba.to_le_bytes());
        bytes.push(self.no_bus_master_ports.into());
        bytes.push(self.square_wave.into());
        bytes.push(self.swallows_new_keys.into());
        bytes.push(self.no_enhanced_keys.into());
        for range in &self.memory_map {
            bytes.extend(range.base.to_le_bytes());
            bytes.extend(range.length.to_le_bytes());
            bytes.extend(range.kind.to_le_bytes());
        }
        bytes
    }
}

/// The boot sector and the handlers.
#[cfg(any(target_arch = "x86_64", target_arch = "x86"))]
fn code() -> Option<(&'static [u8], &'static [u8])> {
    unsafe extern "C" {
        static nasty_bios_boot: u8;
        static nasty_bios_boot_end: u8;
        static nasty_bios: u8;
        static nasty_bios_end: u8;
    }
    // SAFETY: the assembly below puts each pair of labels around bytes in read-only data, which
    // stay there and do not change as long as the program runs.
    let (boot, handlers) = unsafe {
        let between = |start: *const u8, end: *const u8| {
            core::slice::from_raw_parts(start, end.offset_from_unsigned(start))
        };
        (
            between(&raw const nasty_bios_boot, &raw const nasty_bios_boot_end),
            between(&raw const nasty_bios, &raw const nasty_bios_end),
        )
    };
    assert!(boot.len() <= SECTOR - 2 && handlers.len() <= HANDLER_SECTORS * SECTOR);
    Some((boot, handlers))
}

/// The boot sector and the handlers.
#[cfg(not(any(target_arch = "x86_64", target_arch = "x86")))]
fn code() -> Option<(&'static [u8], &'static [u8])> {
    None
}

#[cfg(any(target_arch = "x86_64", target_arch = "x86"))]
global_asm!(
    ".pushsection .rodata.nasty_bios, \"a\"",
    ".code16",
    include_str!("handlers.s"),
    include_str!("devices.s"),
    ".global nasty_bios_end",
    "nasty_bios_end:",
    #[cfg(target_arch = "x86_64")]
    ".code64",
    #[cfg(target_arch = "x86")]
    ".code32",
    ".popsection",
    sectors = const HANDLER_SECTORS,
    map_bytes = const MAP_ENTRIES * ENTRY,
    settings = const SETTINGS,
    irqs = const IRQS.len(),
    options(att_syntax),
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_read_from_the_end_of_a_log() {
        assert_eq!(
            irq_counts(b"irqs\nirqs 0001 0000 00AF 1000 0002 0003\n"),
            Some([1, 0, 0xAF, 0x1000, 2, 3])
        );
        assert_eq!(irq_counts(b"irqs 0001 0000"), None);
        assert_eq!(irq_counts(b"a story"), None);
    }

    #[test]
    fn settings_stand_where_the_handlers_read_them() {
        let faults = Faults {
            no_extensions: true,
            no_bus_master_ports: true,
            no_enhanced_keys: true,
            bad_sector: Some(BadSector { lba: 0x1234, times: None, status: 0x10 }),
            memory_map: vec![Range { base: 0x10_0000, length: 0x20_0000, kind: 1 }],
            ..Faults::default()
        };
        let Ok(floppy) = faults.floppy() else { return };
        assert_eq!(floppy.len(), FLOPPY);
        let settings = &floppy[SECTOR + SETTINGS..];
        assert_eq!(settings[..12], [1, 0, 0, 0, 0, 0xFF, 0x10, 1, 0x34, 0x12, 0, 0]);
        assert_eq!(settings[12..16], [1, 0, 0, 1]);
        assert_eq!(settings[16..36], [0, 0, 0x10, 0, 0, 0, 0, 0, 0, 0, 0x20, 0, 0, 0, 0, 0, 1, 0, 0, 0]);
    }
}
