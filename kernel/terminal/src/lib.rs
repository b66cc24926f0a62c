//! A text terminal without its hardware: bytes become characters ([`utf8`]), characters become those of the
//! screen's code page ([`cp437`]), and the screen wraps and scrolls them ([`screen`]).
#![no_std]

pub mod cp437;
pub mod screen;
pub mod utf8;
