//! The map: what the boot sector, the loader, the kernel and the host program agree on. Each constant
//! stands here once.
//!
//! In reading order: where things are in low memory ([`low_memory`]) and on the disk ([`disk`]); what
//! stands in front of a program ([`program_header`]) and behind the boot code ([`partition`]); and what
//! is handed to the BIOS to read a disk ([`int13`]) and to the CPU to enter unreal mode ([`gdt`]).
#![no_std]

pub mod disk;
pub mod gdt;
pub mod int13;
pub mod low_memory;
pub mod partition;
pub mod program_header;
