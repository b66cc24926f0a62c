//! The A20 gate: closed, it makes bit 20 of every address zero, so odd megabytes mirror even ones.
//!
//! The boot sector tried port 92h. Here the gate is verified, and opened by the BIOS or the keyboard
//! controller where that was not enough. Source: OSDev wiki, "A20 Line".
use crate::bios::{self, Registers};
use crate::{linear, port};
use core::fmt;
use map::low_memory::STAGE1;

/// INT 15h: enable A20.
const BIOS_ENABLE_A20: u32 = 0x2401;
/// The keyboard controller's data and command ports.
const KEYBOARD_DATA: u16 = 0x60;
const KEYBOARD_COMMAND: u16 = 0x64;
/// Bit of the status that [`KEYBOARD_COMMAND`] reads as: the controller has not taken the last byte.
const INPUT_FULL: u8 = 1 << 1;
/// Command: the next data byte sets the output port.
const WRITE_OUTPUT_PORT: u8 = 0xD1;
/// The output port with A20 (bit 1) open, reset (bit 0, low active) off, the rest as BIOSes set it.
const OUTPUT_A20_OPEN: u8 = 0xDF;
/// How often the gate or the controller is asked. A port access takes about a microsecond.
const PATIENCE: u32 = 50_000;

/// The gate would not open.
#[derive(Clone, Copy, Debug)]
pub struct A20Closed;

impl fmt::Display for A20Closed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "the A20 gate stays closed: port 92h, the BIOS (INT 15h, AX=2401h) and the keyboard \
             controller were tried; look for an A20 option in the BIOS set-up",
        )
    }
}

/// Makes sure that the gate is open.
pub fn open() -> Result<(), A20Closed> {
    if is_open() {
        return Ok(());
    }
    // SAFETY: the service only opens the gate.
    unsafe { bios::call(0x15, &mut Registers::new(BIOS_ENABLE_A20)) };
    if is_open() {
        return Ok(());
    }
    ask_keyboard_controller();
    for _ in 0..PATIENCE {
        if is_open() {
            return Ok(());
        }
    }
    Err(A20Closed)
}

/// Does a write one megabyte higher leave the boot sector's bytes alone? They are not needed any more.
fn is_open() -> bool {
    let low: *mut u32 = linear::pointer(STAGE1.start);
    let high: *mut u32 = linear::pointer(STAGE1.start + (1 << 20));
    // SAFETY: nothing is kept at either address yet; volatile, as the two may be one.
    unsafe {
        let before = low.read_volatile();
        high.write_volatile(!before);
        low.read_volatile() == before
    }
}

fn ask_keyboard_controller() {
    // SAFETY: the sequence that sets the controller's output port; bit 0 stays high, so nothing
    // resets. Interrupts stay on: what the BIOS's handler takes from port 60h is input, not output.
    unsafe {
        wait_until_taken();
        port::write_u8(KEYBOARD_COMMAND, WRITE_OUTPUT_PORT);
        wait_until_taken();
        port::write_u8(KEYBOARD_DATA, OUTPUT_A20_OPEN);
        wait_until_taken();
    }
}

/// # Safety
/// Reading the status changes nothing; unsafe only as all port accesses are.
unsafe fn wait_until_taken() {
    for _ in 0..PATIENCE {
        // SAFETY: the status register of the keyboard controller.
        if unsafe { port::read_u8(KEYBOARD_COMMAND) } & INPUT_FULL == 0 {
            return;
        }
    }
}
