//! The ends of a run: off, with a status for whoever started the machine, or halted for ever.
use crate::bios::{self, Registers};
use crate::{bios_data, interrupts, keyboard_controller, port};

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The story was told.
    Success,
    /// A refusal, a fault or a panic.
    Failure,
}

/// QEMU's isa-debug-exit device: a byte written makes it exit with (byte << 1) | 1.
const DEBUG_EXIT: u16 = 0xF4;
const EXIT_SUCCESS: u8 = 0x10;
const EXIT_FAILURE: u8 = 0x11;
/// APM: connect to the real-mode interface; set a power state. Ralf Brown's list, INT 15h/53xxh.
const APM_CONNECT: u32 = 0x5301;
const APM_SET_STATE: u32 = 0x5307;
const APM_ALL_DEVICES: u32 = 1;
const APM_OFF: u32 = 3;
/// PM1a control ports of QEMU's chipsets, and the value that means "soft off, now".
const ACPI_PM1A: [u16; 2] = [0x604, 0xB004];
const ACPI_OFF: u16 = 1 << 13;
/// Bochs' port: this word switches it off.
const BOCHS_SHUTDOWN: u16 = 0x8900;
const BOCHS_WORD: &[u8] = b"Shutdown";

/// The reset control register of Intel's chipsets, and a full reset.
const RESET_CONTROL: u16 = 0xCF9;
const RESET_NOW: u8 = 0x0E;

/// Starts the machine anew, by the keyboard controller and, where that does not work, by the
/// chipset's reset port.
pub fn reboot() -> ! {
    bios_data::set_warm_reset();
    keyboard_controller::reset();
    // SAFETY: where there is such a register the write resets the machine, as is wanted; elsewhere a
    // byte written inside PCI's address port is ignored (PCI 2.1, 3.7.4.1), or nobody answers.
    unsafe { port::write_u8(RESET_CONTROL, RESET_NOW) };
    halt()
}

/// Tries the ways to switch off, the one with a status first. Returns where none works.
pub fn switch_off(outcome: Outcome) {
    let status = if outcome == Outcome::Success { EXIT_SUCCESS } else { EXIT_FAILURE };
    // SAFETY: each way is written for machines that are switched off by it. On others a port is
    // nobody's, or a device's that we do not know; so the order is from the one that is most often
    // right to the one that is least, and whatever a device makes of it, no work can suffer: all that was
    // to be done is done, and this program writes to no disk.
    unsafe {
        port::write_u8(DEBUG_EXIT, status);
        bios::call(0x15, &mut Registers::new(APM_CONNECT));
        let mut off = Registers::new(APM_SET_STATE);
        off.ebx = APM_ALL_DEVICES;
        off.ecx = APM_OFF;
        bios::call(0x15, &mut off);
        for port in ACPI_PM1A {
            port::write_u16(port, ACPI_OFF);
        }
        for &byte in BOCHS_WORD {
            port::write_u8(BOCHS_SHUTDOWN, byte);
        }
    }
}

/// Waits for ever, as cheaply as the CPU can.
pub fn halt() -> ! {
    loop {
        interrupts::wait();
    }
}
