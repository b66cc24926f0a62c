//! The boot sector: 446 bytes that bring a PC from the BIOS to the loader.
//!
//! The BIOS loads it to 0x7C00 in real mode with the drive's number in DL. It moves itself out of
//! the way, opens A20, enters unreal mode, loads the loader and jumps to it. If a step fails it
//! prints `!` and one letter ([`failure::Failure`]) and stops.
//!
//! What keeps it small: in 16-bit code an access to the stack costs two prefixes and a SIB byte, to
//! a static none. So what changes stands in one static, [`disk::Disk`].
#![no_std]
#![no_main]

mod a20;
mod disk;
mod entry;
mod failure;
mod unreal;

use disk::DISK;
use failure::{Failure, OrStop};

/// The order of a boot.
extern "C" fn boot() -> ! {
    unreal::check_real_mode().or_stop(Failure::VirtualMode);
    a20::open();
    unreal::enter();
    DISK.find_addressing().or_stop(Failure::Geometry);
    while DISK.wants_more() {
        match DISK.read() {
            Some(()) => DISK.advance(),
            None => DISK.try_again().or_stop(Failure::Read),
        }
    }
    entry::jump_to_loader(DISK.drive())
}
