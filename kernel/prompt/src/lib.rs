//! The prompt: from key presses to lines, and from lines to what they ask for. Nothing in here
//! touches the hardware.
//!
//! ```text
//! bytes of the serial port -> serial_keys --+
//!                                           +-> key -> editor -> command
//! the BIOS's key codes     -> bios_keys   --+          | line, history, viewport
//! ```
#![no_std]

extern crate alloc;

pub mod bios_keys;
pub mod command;
pub mod editor;
pub mod history;
pub mod key;
pub mod line;
pub mod serial_keys;
pub mod viewport;
