//! A BIOS that misbehaves: fault injection below the machine under test.
//!
//! It is a floppy that goes in first. Its boot sector puts handlers in front of the real BIOS's INT
//! 10h, 13h, 15h and 16h, loads the hard disk's boot sector, and starts it as a BIOS would. What the
//! handlers do is set by [`Faults`]. So a machine can be had that no emulator offers: without INT 13h
//! extensions, with a strange memory map, with a sector that reads well at the third try, or with a
//! BIOS that sets the segment limits back to 64 KB in every call, as real ones may.
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
    /// After each tick of the clock and each key (IRQ 0 and 1), all data segments have 64 KB limits.
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

/// Bytes of a 1.44 MB floppy.
const FLOPPY: usize = 1_474_560;
/// Bytes of a sector.
const SECTOR: usize = 512;
/// Sectors of the handlers behind the boot sector; `SECTORS` in the assembly.
const HANDLER_SECTORS: usize = 4;
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

// Addresses are differences of labels: the code runs at 0x7000:0, not where the linker puts these
// bytes. AT&T syntax: source first.
#[cfg(any(target_arch = "x86_64", target_arch = "x86"))]
global_asm!(
    ".pushsection .rodata.nasty_bios, \"a\"",
    ".code16",
    // IN: DL = floppy drive. Loads the handlers and jumps to them.
    ".global nasty_bios_boot",
    "nasty_bios_boot:",
    "xorw %ax, %ax",
    "movw %ax, %ss",
    "movw $0x7C00, %sp",
    "movw $0x7000, %ax",
    "movw %ax, %es",
    "xorw %bx, %bx",
    "movw $(0x0200 + {sectors}), %ax", // AH=02h: read
    "movw $2, %cx",                    // cylinder 0, sector 2
    "movb $0, %dh",
    "int $0x13",
    "ljmp $0x7000, $0",
    ".global nasty_bios_boot_end",
    "nasty_bios_boot_end:",
    // The handlers: first the settings.
    ".global nasty_bios",
    "nasty_bios:",
    "jmp install",
    ".org nasty_bios + {settings}",
    "no_extensions: .byte 0",
    "no_geometry: .byte 0",
    "reset_limits: .byte 0",
    "close_a20: .byte 0",
    "irqs_reset_limits: .byte 0",
    "bad_times: .byte 0",
    "bad_status: .byte 0",
    "map_count: .byte 0",
    "bad_lba: .long 0",
    "no_bus_master_ports: .byte 0",
    "square_wave: .byte 0",
    "swallows_new_keys: .byte 0",
    "no_enhanced_keys: .byte 0",
    "map: .space {map_bytes}",
    "old08: .long 0",
    "old09: .long 0",
    "old10: .long 0",
    "old13: .long 0",
    "old15: .long 0",
    "old16: .long 0",
    "old_sp: .word 0",
    "old_ss: .word 0",
    // Puts the handlers into the vector table and boots the first hard disk.
    "install:",
    "cli",
    "xorw %ax, %ax",
    "movw %ax, %ds",
    ".macro hook vector",
    "movl 0x\\vector * 4, %eax",
    "movl %eax, %cs:(old\\vector - nasty_bios)",
    "movl $(0x70000000 + new\\vector - nasty_bios), 0x\\vector * 4", // segment 0x7000, offset
    ".endm",
    "cmpb $0, %cs:(irqs_reset_limits - nasty_bios)",
    "je 7f",
    "hook 08",
    "hook 09",
    "7: hook 10",
    "hook 13",
    "hook 15",
    "hook 16",
    "cmpb $0, %cs:(no_bus_master_ports - nasty_bios)",
    "je 1f",
    "movl $0x80000920, %eax", // bus 0, device 1, function 1, register 20h
    "movw $0xCF8, %dx",
    "outl %eax, %dx",
    "xorl %eax, %eax",
    "movw $0xCFC, %dx",
    "outl %eax, %dx",
    "1: cmpb $0, %cs:(square_wave - nasty_bios)",
    "je 1f",
    "movb $0x36, %al", // counter 0, both bytes, mode 3
    "outb %al, $0x43",
    "movb $0, %al",
    "outb %al, $0x40",
    "outb %al, $0x40",
    "1: cmpb $0, %cs:(no_enhanced_keys - nasty_bios)",
    "je 1f",
    "andb $0xEF, 0x496", // no 101-key keyboard
    "1: sti",
    "xorw %ax, %ax",
    "movw %ax, %es",
    "movw $0x7C00, %bx",
    "movw $0x0201, %ax",
    "movw $1, %cx",
    "movw $0x0080, %dx", // head 0, the first hard disk
    "int $0x13",
    "cmpb $0, %cs:(close_a20 - nasty_bios)",
    "je 1f",
    "inb $0x92, %al",
    "andb $0xFC, %al", // A20 off; bit 0 would reset the machine
    "outb %al, $0x92",
    "1: movw $0x0080, %dx",
    "ljmp $0, $0x7C00",
    // The end of every handler. The flags go to the caller, as the BIOS gives its carry flag.
    ".macro finish",
    "pushfw",
    "callw set_64k_limits",
    "popfw",
    "sti",
    "lretw $2",
    ".endm",
    // The clock and the keyboard.
    "new08: pushfw",
    "lcallw *%cs:(old08 - nasty_bios)",
    "callw set_64k_limits_now",
    "iretw",
    "new09: pushfw",
    "lcallw *%cs:(old09 - nasty_bios)",
    "callw set_64k_limits_now",
    "iretw",
    "new10: pushfw",
    "lcallw *%cs:(old10 - nasty_bios)",
    "finish",
    // INT 16h.
    "new16:",
    "cmpb $0x10, %ah",
    "jb 1f",
    "cmpb $0, %cs:(no_enhanced_keys - nasty_bios)",
    "je pass16",
    "cmpb $0xFF, %ah", // nothing is done, and ZF says that a key waits
    "finish",
    "1: cmpb $1, %ah",
    "ja pass16",
    "cmpb $0, %cs:(swallows_new_keys - nasty_bios)",
    "je pass16",
    "pushw %bx",
    "movb %ah, %bh",
    "look16:",
    "movb $1, %ah",
    "pushfw",
    "lcallw *%cs:(old16 - nasty_bios)",
    "jz nothing16",
    "cmpb $0x84, %ah",
    "ja swallow16",
    "movb %bh, %ah",
    "popw %bx",
    "pass16: pushfw",
    "lcallw *%cs:(old16 - nasty_bios)",
    "finish",
    "swallow16:",
    "movb $0, %ah",
    "pushfw",
    "lcallw *%cs:(old16 - nasty_bios)",
    "jmp look16",
    "nothing16:",
    "testb %bh, %bh",
    "jnz 1f",
    "sti",
    "hlt",
    "jmp look16",
    "1: popw %bx",
    "cmpb %al, %al", // ZF
    "finish",
    // INT 13h.
    "new13:",
    "cmpb $0, %cs:(no_extensions - nasty_bios)",
    "je 2f",
    "cmpb $0x41, %ah",
    "je no_function",
    "cmpb $0x42, %ah",
    "je no_function",
    "cmpb $0x48, %ah",
    "je no_function",
    "2: cmpb $0, %cs:(no_geometry - nasty_bios)",
    "je 8f",
    "cmpb $0x08, %ah",
    "je no_function",
    "8: cmpb $0x42, %ah",
    "jne pass13",
    "cmpb $0, %cs:(bad_times - nasty_bios)",
    "je pass13",
    // Does the packet at DS:SI (count at 2, LBA at 8) touch the bad sector?
    "pushl %eax",
    "pushl %ebx",
    "movl %cs:(bad_lba - nasty_bios), %eax",
    "subl 8(%si), %eax",
    "movzwl 2(%si), %ebx",
    "cmpl %ebx, %eax", // unsigned: a sector before the packet is far above its count
    "popl %ebx",
    "popl %eax",
    "jae pass13",
    "cmpb $0xFF, %cs:(bad_times - nasty_bios)",
    "je 3f",
    "decb %cs:(bad_times - nasty_bios)",
    "3: movw $0, 2(%si)", // sectors that were read
    "movb %cs:(bad_status - nasty_bios), %ah",
    "stc",
    "finish",
    "no_function:",
    "movb $1, %ah", // invalid function
    "stc",
    "finish",
    "pass13: pushfw",
    "lcallw *%cs:(old13 - nasty_bios)",
    "finish",
    // INT 15h: AX=E820h from the map, the rest from the BIOS.
    "new15:",
    "cmpw $0xE820, %ax",
    "jne pass15",
    "cmpb $0, %cs:(map_count - nasty_bios)",
    "je pass15",
    "pushw %si",
    "pushw %di",
    "pushw %ds",
    "pushw %cs",
    "popw %ds",
    "imulw $20, %bx, %si",
    "addw $(map - nasty_bios), %si",
    "movw $20, %cx",
    "cld",
    "rep movsb",
    "popw %ds",
    "popw %di",
    "popw %si",
    "incl %ebx",
    "cmpb %cs:(map_count - nasty_bios), %bl",
    "jb 4f",
    "xorl %ebx, %ebx",
    "4: movl $20, %ecx",
    "movl $0x534D4150, %eax", // SMAP
    "clc",
    "finish",
    "pass15: pushfw",
    "lcallw *%cs:(old15 - nasty_bios)",
    "finish",
    // A detour through protected mode that leaves 64 KB limits behind, where that is wanted. It
    // changes nothing else but flags.
    "set_64k_limits:",
    "cmpb $0, %cs:(reset_limits - nasty_bios)",
    "jne 5f",
    "retw",
    "5: cli",
    "set_64k_limits_now:", // interrupts are off
    "pushl %eax",
    "pushw %ds",
    "pushw %es",
    "pushw %fs",
    "pushw %gs",
    "movw %sp, %cs:(old_sp - nasty_bios)",
    "movw %ss, %cs:(old_ss - nasty_bios)",
    "lgdtl %cs:(gdt_pointer - nasty_bios)",
    "movl %cr0, %eax",
    "orb $1, %al",
    "movl %eax, %cr0",
    "jmp 6f",
    "6: movw $8, %ax",
    "movw %ax, %ds",
    "movw %ax, %es",
    "movw %ax, %fs",
    "movw %ax, %gs",
    "movw %ax, %ss",
    "movl %cr0, %eax",
    "andb $0xFE, %al",
    "movl %eax, %cr0",
    // The segments again; the limits stay.
    "movw %cs:(old_ss - nasty_bios), %ss",
    "movw %cs:(old_sp - nasty_bios), %sp",
    "popw %gs",
    "popw %fs",
    "popw %es",
    "popw %ds",
    "popl %eax",
    "retw",
    "gdt: .quad 0",
    ".quad 0x000092000000FFFF", // data, base 0, limit 64 KB
    "gdt_pointer: .word 15",
    ".long 0x70000 + gdt - nasty_bios",
    ".global nasty_bios_end",
    "nasty_bios_end:",
    ".purgem hook",
    ".purgem finish",
    #[cfg(target_arch = "x86_64")]
    ".code64",
    #[cfg(target_arch = "x86")]
    ".code32",
    ".popsection",
    sectors = const HANDLER_SECTORS,
    map_bytes = const MAP_ENTRIES * ENTRY,
    settings = const SETTINGS,
    options(att_syntax),
);

#[cfg(test)]
mod tests {
    use super::*;

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
