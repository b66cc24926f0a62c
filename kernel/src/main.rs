//! The kernel: the story of a boot.
#![no_std]
#![no_main]

use kernel::{console, power, println, unreal};

/// From the boot sector's hand-over to the end of the story. `drive`: the BIOS's number of the drive
/// that we came from.
#[unsafe(no_mangle)]
extern "C" fn kernel_main(drive: u32) -> ! {
    console::init();
    println!("unreallm: booted from drive {drive:02x}h, CR0 {:?}", unreal::cr0());
    power::halt()
}
