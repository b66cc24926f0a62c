//! What the boot sector, the kernel and the host program agree on: where things are in low
//! memory ([`low_memory`]) and on the disk ([`disk_map`]). Each constant stands here once.
#![no_std]

pub mod disk_map;
pub mod low_memory;
