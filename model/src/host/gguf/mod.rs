//! Reader of GGUF files, versions 2 and 3: the container, and what a Llama model's metadata says.
//!
//! ```text
//! "GGUF"  u32 version  u64 tensors  u64 keys
//! keys    × string key | i32 type | value                              the metadata
//! tensors × string name | u32 n | u64 dims[n] | i32 type | u64 offset  the directory
//! zeros up to the alignment, then the tensors, each at its offset from here and aligned
//! ```
//!
//! All numbers are little-endian; a string is its length (u64) and its bytes; dims\[0\] is the
//! fastest, so a matrix is \[columns, rows\]. Source: ggml's docs/gguf.md and src/gguf.cpp.
//!
//! Nothing that the file says is believed: counts are compared with the bytes that are there before
//! memory is taken for them, tensors must lie in the file and apart, and what a model holds that
//! would change its answer and is not run here is refused by name.
mod array;
mod blocks;
mod bytes;
mod error;
mod llama;
mod metadata;
mod reader;
mod tensor;
mod types;
mod value;
mod vocabulary;
mod write;

pub use array::{Array, Numbers, Strings};
pub use blocks::{Affine, BlockError, Codes, codes, dequantize, quantize};
pub use error::GgufError;
pub use llama::{LlamaConfig, LlamaError, OUTPUT, ROPE_FREQS};
pub use metadata::Metadata;
pub use reader::{Gguf, Listed, Listing, check_file_name};
pub use tensor::TensorInfo;
pub use types::TensorType;
pub use value::{Value, ValueType};
pub use vocabulary::{GgufVocabulary, Merge, TokenType, VocabularyError};
pub use write::GgufWriter;

#[cfg(test)]
mod tests;
