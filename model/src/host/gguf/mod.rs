//! GGUF files: the blocks that hold their tensors' numbers.
mod blocks;
mod types;

pub use blocks::{Affine, BlockError, Codes, codes, dequantize, quantize};
pub use types::TensorType;
