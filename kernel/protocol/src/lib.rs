//! What host and machine say to each other: the boot settings ([`settings`]), the trace of a story ([`trace`]) and the
//! benchmark's report ([`benchmark`]). Both sides are built from this one crate.
#![no_std]

extern crate alloc;

pub mod benchmark;
pub mod decimal;
pub mod settings;
mod text;
pub mod trace;
