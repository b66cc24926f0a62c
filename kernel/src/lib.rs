//! The machine around the model: what a PC needs to run it in unreal mode.
//!
//! Modules that touch the hardware exist only on the machine (`target_os = "none"`); the rest is
//! portable logic that the host tests.
#![no_std]

extern crate alloc;

pub mod banner;
pub mod console;
pub mod e820;
#[cfg(test)]
mod e820_maps;
pub mod memory_plan;
pub mod prompt;
pub mod sector_source;
pub mod smp;

#[cfg(target_os = "none")]
pub mod a20;
#[cfg(target_os = "none")]
pub mod bios;
#[cfg(target_os = "none")]
pub mod clock;
#[cfg(target_os = "none")]
pub mod cpu;
#[cfg(target_os = "none")]
pub mod disk;
#[cfg(target_os = "none")]
mod entry;
#[cfg(target_os = "none")]
pub mod exceptions;
#[cfg(target_os = "none")]
pub mod far;
#[cfg(target_os = "none")]
pub mod flat_limits;
#[cfg(target_os = "none")]
pub mod handover;
#[cfg(target_os = "none")]
pub mod heap;
#[cfg(target_os = "none")]
pub mod input;
#[cfg(target_os = "none")]
pub mod integrity;
#[cfg(target_os = "none")]
pub mod keyboard;
#[cfg(target_os = "none")]
pub mod loading;
#[cfg(target_os = "none")]
pub mod memory;
#[cfg(target_os = "none")]
mod panic;
#[cfg(target_os = "none")]
pub mod port;
#[cfg(target_os = "none")]
pub mod power;
#[cfg(target_os = "none")]
pub mod refusal;
#[cfg(target_os = "none")]
pub mod self_test;
#[cfg(target_os = "none")]
pub mod serial_input;
#[cfg(target_os = "none")]
pub mod session;
#[cfg(target_os = "none")]
pub mod stack_guard;
#[cfg(target_os = "none")]
pub mod story;
#[cfg(target_os = "none")]
pub mod unreal;
