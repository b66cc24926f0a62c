//! The model: file format, tokenizer, sampler and engines.
//!
//! The engine does not know where it runs: this library is `no_std` + `alloc`, has no float and
//! no global state, and gives the same integers on a host, in an emulator and on a bare machine.
//! Float lives behind the feature `std`, in the packer and in the fp32 reference.
//!
//! The way of a model through this crate, in reading order:
//!
//! | step | where |
//! | --- | --- |
//! | a GGUF or a llama2.c checkpoint is read, quantized and packed (host) | `host` |
//! | the packed model is read from a disk | [`source`], [`packed`] |
//! | its parts in memory | [`packed::Model`], [`matrix`], [`tables`], [`vocabulary`] |
//! | the numbers that everything is made of | [`fixed`] |
//! | one forward pass: token in, logits out | [`engine`], [`int8`], [`sectorllm`] |
//! | what the pass is made of | [`norm`], [`matmul`], [`rope`], [`attention`], [`ffn`] |
//! | the inner loops of that, in plain code and in SIMD | [`simd`] |
//! | how processors share the work | [`workers`] |
//! | the loop around it: prompt, sampling, text | [`generate`], [`vocabulary`], [`sampler`] |
//!
//! An attention score can be followed in `attention/head.rs` and `simd/scalar.rs`. No two modules use each
//! other, however many are in between (tests/modules.rs).
#![cfg_attr(not(feature = "std"), no_std)]
// The machine is built for size, its inner loops for speed.
#![feature(optimize_attribute)]

extern crate alloc;

#[cfg(target_endian = "big")]
compile_error!("the packed format is little-endian and is read as it is");

pub mod allocation;
pub mod attention;
pub mod crc32;
pub mod engine;
pub mod ffn;
pub mod fixed;
pub mod generate;
#[cfg(feature = "std")]
pub mod host;
pub mod int8;
pub mod load_only;
pub mod matmul;
pub mod matrix;
pub mod memory;
pub mod norm;
pub mod packed;
pub mod phase;
pub mod rope;
pub mod sampler;
pub mod sectorllm;
pub mod shape;
pub mod simd;
pub mod source;
pub mod tables;
pub mod vocabulary;
pub mod workers;
