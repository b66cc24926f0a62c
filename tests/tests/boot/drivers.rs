//! The drivers themselves, on boot sectors of a few instructions. When these pass and another test
//! fails, it is the machine and not the watcher.
use std::time::Duration;

use libtest_mimic::Trial;
use machine::{Emulator, Error, bochs::Bochs, nasty_bios::Faults, qemu::Qemu};

use crate::case::{Trouble, case, ensure};

/// Shows a white `é` on blue at the top left, and sends `k`.
const SHOW: &[u8] = &[
    0xB8, 0x00, 0xB8, // mov ax, 0B800h
    0x8E, 0xC0, // mov es, ax
    0x26, 0xC7, 0x06, 0x00, 0x00, 0x82, 0x1F, // mov word es:[0], 1F82h
    0xBA, 0xFB, 0x03, // mov dx, 3FBh: line control
    0xB0, 0x03, // mov al, 3: 8 bits, no parity
    0xEE, // out dx, al
    0xBA, 0xF8, 0x03, // mov dx, 3F8h: data
    0xB0, b'k', // mov al, 'k'
    0xEE, // out dx, al
];
/// Enters protected mode.
const PROTECT: &[u8] = &[
    0xFA, // cli
    0x0F, 0x20, 0xC0, // mov eax, cr0
    0x0C, 0x01, // or al, 1
    0x0F, 0x22, 0xC0, // mov cr0, eax
];
/// Enters unreal mode by the descriptors at [`GDT`], and asks the BIOS for keys.
const UNREAL: &[u8] = &[
    0xFA, // cli
    0x31, 0xC0, // xor ax, ax
    0x8E, 0xD8, // mov ds, ax
    0x0F, 0x01, 0x16, 0x00, 0x7D, // lgdt [7C00h + GDT]
    0x0F, 0x20, 0xC0, // mov eax, cr0
    0x0C, 0x01, // or al, 1
    0x0F, 0x22, 0xC0, // mov cr0, eax
    0xBB, 0x08, 0x00, // mov bx, 8
    0x8E, 0xDB, // mov ds, bx
    0x24, 0xFE, // and al, 0FEh
    0x0F, 0x22, 0xC0, // mov cr0, eax
    0x31, 0xDB, // xor bx, bx
    0x8E, 0xDB, // mov ds, bx
    0xB4, 0x01, // mov ah, 1: is there a key?
    0xCD, 0x16, // int 16h
];
/// Where [`disk`] puts a pointer to descriptors, in the boot sector.
const GDT: usize = 0x100;
/// 16 bytes at 7D08h: an empty descriptor, and data from 0 to 4 GB.
const FLAT: &[u8] =
    &[0x0F, 0, 0x08, 0x7D, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF, 0, 0, 0, 0x92, 0xCF, 0];
/// Ends QEMU with exit code 10h << 1 | 1.
const EXIT: &[u8] = &[0xB0, 0x10, 0xE6, 0xF4]; // mov al, 10h; out 0F4h, al
/// Does nothing for ever.
const HALT: &[u8] = &[0xFA, 0xF4, 0xEB, 0xFD]; // cli; here: hlt; jmp here

/// A disk of 1 MiB whose boot sector is these pieces, one after the other.
fn disk(pieces: &[&[u8]]) -> Vec<u8> {
    let mut disk = pieces.concat();
    disk.resize(1 << 20, 0);
    disk[GDT..][..FLAT.len()].copy_from_slice(FLAT);
    disk[510..512].copy_from_slice(&[0x55, 0xAA]);
    disk
}

/// The tests of this file.
pub fn cases() -> Vec<Trial> {
    vec![
        case("drivers::qemu_screen_serial_registers", || {
            shows(&mut Qemu::default().boot(&disk(&[SHOW, HALT]))?)
        }),
        case("drivers::bochs_screen_serial_registers", || {
            shows(&mut Bochs::default().boot(&disk(&[SHOW, HALT]))?)
        }),
        case("drivers::qemu_sees_protected_mode", || {
            sees_protected_mode(&mut Qemu::default().boot(&disk(&[SHOW, PROTECT, HALT]))?)
        }),
        case("drivers::bochs_sees_protected_mode", || {
            sees_protected_mode(&mut Bochs::default().boot(&disk(&[SHOW, PROTECT, HALT]))?)
        }),
        case("drivers::qemu_exit_code", || {
            let (status, log) = Qemu::default().boot(&disk(&[SHOW, EXIT, HALT]))?.wait_for_end()?;
            ensure(status.code() == Some(0x21), || format!("exit status {status}"))?;
            ensure(log.contains(&b'k'), || format!("serial log {log:?}"))
        }),
        case("drivers::bochs_kind_bios_keeps_limits", || limit_after_a_call(false, u32::MAX)),
        case("drivers::bochs_nasty_bios_resets_limits", || limit_after_a_call(true, 0xFFFF)),
        case("drivers::qemu_nasty_bios_starts_the_disk", || {
            let faults = Some(Faults { no_extensions: true, close_a20: true, ..Faults::default() });
            shows(&mut Qemu { faults, ..Qemu::default() }.boot(&disk(&[SHOW, HALT]))?)
        }),
        case("drivers::a_silent_machine_is_given_up", || {
            let qemu = Qemu { limit: Duration::from_secs(2), ..Qemu::default() };
            match qemu.boot(&disk(&[HALT]))?.wait_for_text("k") {
                Err(Error::TimedOut { .. }) => Ok(()),
                other => Err(Trouble::Wrong(format!("{other:?}"))),
            }
        }),
        case("drivers::a_bad_sector_is_not_booted", || {
            let qemu = Qemu {
                storage: machine::qemu::Storage::BadSector(0),
                limit: Duration::from_secs(5),
                ..Qemu::default()
            };
            let mut machine = qemu.boot(&disk(&[SHOW, HALT]))?;
            let seen = machine.wait_for_text("k");
            ensure(seen.is_err(), || "QEMU booted from a sector that cannot be read".into())?;
            let screen = machine.screen()?.text();
            ensure(screen.contains("could not read the boot disk"), || screen)
        }),
    ]
}

fn shows(machine: &mut impl Emulator) -> Result<(), Trouble> {
    machine.wait_for_text("k")?;
    let seen = machine.freeze()?;
    let (text, attribute) = (seen.screen.row(0), seen.screen.attribute(0, 0));
    ensure(text.starts_with('é') && attribute == 0x1F, || format!("{text:?}, attribute {attribute:#x}"))?;
    let registers = seen.registers;
    let halted = 0x7C00 + (SHOW.len() + HALT.len()) as u32;
    ensure(!registers.protected(), || format!("{registers:x?}"))?;
    ensure(registers.real_mode_address().abs_diff(halted) <= 3, || format!("{registers:x?}"))?;
    ensure(registers.ds_limit == 0xFFFF, || format!("{registers:x?}"))
}

/// A program enters unreal mode and calls the BIOS: what limit has it then?
fn limit_after_a_call(reset_limits: bool, expected: u32) -> Result<(), Trouble> {
    let faults = Some(Faults { reset_limits, ..Faults::default() });
    let mut machine = Bochs { faults, ..Bochs::default() }.boot(&disk(&[UNREAL, SHOW, HALT]))?;
    machine.wait_for_text("k")?;
    let limit = machine.freeze()?.registers.ds_limit;
    ensure(limit == expected, || format!("the limit is {limit:#x}"))
}

fn sees_protected_mode(machine: &mut impl Emulator) -> Result<(), Trouble> {
    machine.wait_for_text("k")?;
    // The letter is out a few instructions before or after the change.
    std::thread::sleep(Duration::from_millis(300));
    let registers = machine.freeze()?.registers;
    ensure(registers.protected(), || format!("{registers:x?}"))
}
