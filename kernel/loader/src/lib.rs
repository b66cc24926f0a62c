//! What the loader decides without hardware, so that the host tests it: what goes where in memory
//! ([`memory_plan`]), how sectors become a stream of bytes ([`sector_source`]), and what it says ([`banner`]).
#![no_std]

extern crate alloc;

pub mod banner;
pub mod memory_plan;
pub mod sector_source;
