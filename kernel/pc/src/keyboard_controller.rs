//! The keyboard controller, for what hangs on its output port beside the keyboard: the A20 gate and the
//! reset line.
//!
//! Sources: Intel 8042 data sheet; IBM PC AT Technical Reference (1984), "Keyboard controller"; OSDev wiki,
//! "I8042 PS/2 Controller".
use crate::port;
use core::arch::asm;

/// Its ports: data; status when read, commands when written.
const DATA: u16 = 0x60;
const STATUS_AND_COMMAND: u16 = 0x64;
/// Status: input buffer full. The controller has not taken the last byte.
const IBF: u8 = 1 << 1;
/// Command: the next data byte is the output port.
const WRITE_OUTPUT_PORT: u8 = 0xD1;
/// Command: pulse the output port's bit 0, the reset line.
const PULSE_RESET: u8 = 0xFE;
/// The output port with A20 (bit 1) open, reset (bit 0, low active) off, the rest as BIOSes set it.
const OUTPUT_A20_OPEN: u8 = 0xDF;
/// How often the status is read before the controller is given up: a read takes about a microsecond.
const PATIENCE: u32 = 50_000;

/// Asks it to open the A20 gate, which may take a while.
pub fn open_a20() {
    // SAFETY: the sequence that sets the output port; bit 0 stays high, so nothing resets. Interrupts
    // are off meanwhile, as the BIOS's handler of keys may send commands of its own, and a command between
    // ours and its data byte would make a command to the keyboard of that byte. They were on: this
    // program lets them come all the time.
    unsafe {
        asm!("cli", options(nostack));
        wait_until_taken();
        port::write_u8(STATUS_AND_COMMAND, WRITE_OUTPUT_PORT);
        wait_until_taken();
        port::write_u8(DATA, OUTPUT_A20_OPEN);
        wait_until_taken();
        asm!("sti", options(nostack));
    }
}

/// Asks it to reset the machine, and gives it time for that.
pub fn reset() {
    wait_until_taken();
    // SAFETY: the command touches the reset line alone, and the machine is to start anew.
    unsafe { port::write_u8(STATUS_AND_COMMAND, PULSE_RESET) };
    (0..PATIENCE).for_each(|_| {
        status();
    });
}

fn wait_until_taken() {
    let _ = (0..PATIENCE).find(|_| status() & IBF == 0);
}

fn status() -> u8 {
    // SAFETY: reading the status changes nothing.
    unsafe { port::read_u8(STATUS_AND_COMMAND) }
}
