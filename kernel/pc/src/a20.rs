//! The A20 gate: closed, it makes bit 20 of every address zero, so odd megabytes mirror even ones.
//!
//! The boot sector tried port 92h. Here the gate is verified, and opened by the BIOS or the keyboard
//! controller where that was not enough. Source: OSDev wiki, "A20 Line".
use crate::bios::{self, Registers};
use crate::{keyboard_controller, linear};
use core::fmt;
use map::low_memory::STAGE1;

/// INT 15h: enable A20.
const BIOS_ENABLE_A20: u32 = 0x2401;
/// How often the gate is tried after the keyboard controller was asked. It may take some milliseconds.
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
    // SAFETY: the service names no memory, and no other data is above 1 MiB yet.
    unsafe { bios::call(0x15, &mut Registers::new(BIOS_ENABLE_A20)) };
    if is_open() {
        return Ok(());
    }
    keyboard_controller::open_a20();
    for _ in 0..PATIENCE {
        if is_open() {
            return Ok(());
        }
    }
    Err(A20Closed)
}

/// Does a write 1 MiB higher leave the boot sector's bytes alone? They are not needed any more.
fn is_open() -> bool {
    let low: *mut u32 = linear::pointer(STAGE1.start);
    let high: *mut u32 = linear::pointer(STAGE1.start + (1 << 20));
    // SAFETY: the boot sector has run, and what is above 1 MiB is given to the heap only later, so nobody
    // misses either word; both may be one, which is why the accesses are volatile.
    unsafe {
        let before = low.read_volatile();
        high.write_volatile(!before);
        low.read_volatile() == before
    }
}
