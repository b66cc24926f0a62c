//! The host's side: from a llama2.c checkpoint to a packed model, with the host's float.
pub mod checkpoint;
pub mod fp32;
pub mod gguf;
pub mod pack;
pub mod quantize;
pub mod score;
pub mod sector;
pub mod synth;
