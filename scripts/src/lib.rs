//! The host program behind `cargo unreal`, as a library: makes disk images and boots them.
//!
//! One way through: a checkpoint is found ([`models`]), quantized and packed (crate `model`),
//! laid out behind the boot sector and the kernel ([`image`], [`machine_code`]) and booted
//! ([`emulator`]).
pub mod bench;
pub mod beside;
pub mod calibration;
pub mod child;
pub mod cli;
pub mod commands;
pub mod compare;
pub mod embedded;
pub mod emulator;
pub mod fetch;
pub mod image;
pub mod inspect;
pub mod interrupt;
pub mod iso;
pub mod kept;
pub mod locate;
pub mod machine_code;
pub mod models;
pub mod packing;
pub mod processors;
pub mod published;
pub mod refining;
pub mod size;
pub mod web;
