//! The host's side: from a GGUF or a llama2.c checkpoint to a packed model, with the host's float.
pub mod calibrate;
pub mod checkpoint;
pub mod coding;
pub mod dense;
pub mod foreign;
pub mod fp32;
pub mod gguf;
pub mod pack;
pub mod packed;
pub mod processors;
pub mod quantize;
pub mod refine;
pub mod score;
pub mod sectorllm;
pub mod synth;
pub mod vocabulary;
