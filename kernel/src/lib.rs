//! The machine around the model: what a PC needs to run it in unreal mode.
//!
//! Modules that touch the hardware exist only on the machine (`target_os = "none"`); the rest is
//! portable logic that the host tests.
#![no_std]

pub mod console;

#[cfg(target_os = "none")]
pub mod bios;
#[cfg(target_os = "none")]
mod entry;
#[cfg(target_os = "none")]
pub mod far;
#[cfg(target_os = "none")]
mod panic;
#[cfg(target_os = "none")]
pub mod port;
#[cfg(target_os = "none")]
pub mod power;
#[cfg(target_os = "none")]
pub mod unreal;
