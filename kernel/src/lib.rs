//! The kernel: from a model in memory to stories.
//!
//! What the loader leaves is taken over ([`handover`]); a session ([`session`]) tells stories ([`story`]) and asks for
//! more of them, hears both consoles ([`input`]), and lets all processors multiply ([`workers`]). It does so with any
//! engine: each program in `src/bin` brings its own.
#![no_std]
#![cfg(target_os = "none")] // nothing in here is for a host

extern crate alloc;

pub mod handover;
pub mod input;
pub mod session;
pub mod story;
pub mod workers;
