//! What the boot sector, the loader, the kernel and the host program agree on: where things are in low
//! memory ([`low_memory`]) and on the disk ([`disk_map`]), what stands in front of a program
//! ([`program_header`]) and behind the boot code ([`partition`]), the two ways to name a sector to
//! the BIOS ([`disk_address`]) and the segments of the detour into unreal mode ([`descriptors`]).
//! Each constant stands here once.
//!
//! The boot sector itself is this crate's binary (feature `boot`).
#![no_std]

pub mod descriptors;
pub mod disk_address;
pub mod disk_map;
pub mod low_memory;
pub mod partition;
pub mod program_header;
