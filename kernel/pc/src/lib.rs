//! The PC: a file for each chip and each BIOS service, and no word about models.
//!
//! Principles:
//!
//! - A number becomes an address in one place ([`linear`]), a port is read and written in one place ([`port`]).
//! - Unreal mode ([`unreal`]) is entered at boot and again after every BIOS call ([`bios`]); should a BIOS's
//!   interrupt handler put limits back, the fault that follows does it ([`faults`]).
//! - Each register has its data sheet's name, each magic number its source.
//!
//! In reading order: in from the program before ([`entry`]), the CPU ([`cpu`]), A20 ([`a20`], [`keyboard_controller`]), memory ([`e820`], [`heap`],
//! [`flat_limits`], [`stack`]), interrupts and faults ([`interrupts`], [`pic`], [`faults`]), time ([`clock`], [`pit`]), disk
//! ([`disk`], [`ide`], [`pci`]), screen and serial port ([`console`], [`vga`], [`serial`]), keys ([`keyboard`],
//! [`serial_input`]), more processors ([`processors`], [`acpi`], [`local_apic`]), the ends ([`power`], [`ending`]).
#![no_std]
#![cfg(target_os = "none")] // nothing in here is for a host

extern crate alloc;

pub mod a20;
pub mod acpi;
pub mod bios;
pub mod bios_data;
pub mod clock;
pub mod console;
pub mod cpu;
pub mod disk;
pub mod e820;
pub mod ending;
pub mod entry;
pub mod faults;
pub mod flat_limits;
pub mod heap;
pub mod ide;
pub mod interrupts;
pub mod keyboard;
pub mod keyboard_controller;
pub mod linear;
pub mod local_apic;
mod memory;
mod panic;
pub mod pci;
pub mod pic;
pub mod pit;
pub mod port;
pub mod power;
pub mod processors;
pub mod serial;
pub mod serial_input;
pub mod stack;
pub mod unreal;
pub mod vga;
