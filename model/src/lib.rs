//! The model: file format, tokenizer, sampler and engines.
//!
//! The engine does not know where it runs: this library is `no_std` + `alloc`, has no float and
//! no global state, and gives the same integers on a host, in an emulator and on a bare machine.
//! Float lives behind the feature `std`, in the packer and in the fp32 reference.
#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;
