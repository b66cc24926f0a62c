//! What a PC's firmware leaves for a system: the map of memory ([`e820`]), the list of processors ([`acpi`]) and the
//! count of its ticks ([`tick`]). It is read here without hardware, so that the host tests it.
#![no_std]

pub mod acpi;
pub mod e820;
#[cfg(test)]
mod e820_maps;
pub mod tick;
