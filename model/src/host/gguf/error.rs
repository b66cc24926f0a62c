//! Why a GGUF cannot be used.
use std::io;
use thiserror::Error;

/// What is wrong with a GGUF's container.
#[derive(Debug, Error)]
pub enum GgufError {
    /// The file could not be read.
    #[error("the GGUF cannot be read: {0}")]
    Io(#[from] io::Error),
    /// It does not begin like a GGUF.
    #[error(
        "this is no GGUF: it begins with the bytes {0:02X?}; \
         llama.cpp's convert_hf_to_gguf.py makes a GGUF of a model"
    )]
    Magic([u8; 4]),
    /// A version that is not read.
    #[error(
        "the GGUF has version {0}, only versions 2 and 3 are read; \
         convert the model again with llama.cpp's convert_hf_to_gguf.py"
    )]
    Version(u32),
    /// The bytes of its numbers stand the other way round.
    #[error(
        "the GGUF is big-endian, only little-endian ones are read; \
         turn it round with llama.cpp's gguf_convert_endian.py, or download the little-endian one"
    )]
    BigEndian,
    /// The file ends too early, or a length in it is wrong.
    #[error("the GGUF is cut short: {what} needs {needed} bytes, {left} are left; download it again")]
    CutShort {
        /// What was being read.
        what: String,
        /// The bytes that it needs.
        needed: u64,
        /// The bytes that the file still has.
        left: u64,
    },
    /// Metadata and directory are longer than any model's.
    #[error(
        "the GGUF's header goes on beyond {limit} bytes with {what}, no model's does; \
         it is damaged, download it again"
    )]
    HeaderTooLong {
        /// What was being read.
        what: String,
        /// The longest header that is read.
        limit: u64,
    },
    /// A key or a tensor's name is no text, or too long.
    #[error("{what} is no text of at most {limit} bytes; the GGUF is damaged, download it again")]
    Name {
        /// What was being read.
        what: String,
        /// The longest name.
        limit: u64,
    },
    /// A number that stands for no type of values.
    #[error("{what} has the type {found}, which GGUF does not have; the GGUF is damaged, download it again")]
    ValueType {
        /// What was being read.
        what: String,
        /// The number found.
        found: u32,
    },
    /// An array of arrays.
    #[error("{what} is an array of arrays, which no Llama model needs; convert the model again without it")]
    NestedArray {
        /// What was being read.
        what: String,
    },
    /// A bool that is neither 0 nor 1.
    #[error("{what} is neither true nor false but the byte {found}; the GGUF is damaged, download it again")]
    Bool {
        /// What was being read.
        what: String,
        /// The byte found.
        found: u8,
    },
    /// A key or a tensor that is there twice.
    #[error("the GGUF has {0} twice; convert the model again")]
    Duplicate(String),
    /// A key is not there.
    #[error("the GGUF has no {0}; convert the model again with a current convert_hf_to_gguf.py")]
    Missing(String),
    /// A value is not what its key is for.
    #[error("the GGUF's {key} is {found}, it must be {wanted}; convert the model again")]
    Value {
        /// The key.
        key: String,
        /// The value found.
        found: String,
        /// What it must be.
        wanted: String,
    },
    /// One file of several.
    #[error(
        "the model is split into {parts} files; \
         join them with llama.cpp's llama-gguf-split --merge FIRST.gguf JOINED.gguf"
    )]
    Split {
        /// How many files there are.
        parts: u32,
    },
    /// A tensor with no or with too many dimensions, or with an empty one.
    #[error(
        "the tensor {tensor} has the dims {dims:?}, it must have 1 to {most}, none of them 0; \
         the GGUF is damaged, download it again"
    )]
    Dims {
        /// The tensor.
        tensor: String,
        /// The dims found, no more than one too many.
        dims: Vec<u64>,
        /// The most that there may be.
        most: u32,
    },
    /// A tensor's numbers are stored in a way that is not read.
    #[error(
        "the tensor {tensor} has the type {found}, which is not read; \
         convert it to Q8_0 (llama.cpp's llama-quantize)"
    )]
    TensorType {
        /// The tensor.
        tensor: String,
        /// The type's name, or its number.
        found: String,
    },
    /// A row is no whole number of blocks.
    #[error(
        "the tensor {tensor} has rows of {columns} numbers, \
         {tensor_type} stores {block} at a time; convert it to Q8_0"
    )]
    Row {
        /// The tensor.
        tensor: String,
        /// Numbers in a row.
        columns: usize,
        /// The type's name.
        tensor_type: &'static str,
        /// Numbers in a block.
        block: usize,
    },
    /// A tensor does not begin where the alignment wants it.
    #[error(
        "the tensor {tensor} begins at the offset {offset}, \
         which is no multiple of the alignment {alignment}; convert the model again"
    )]
    Unaligned {
        /// The tensor.
        tensor: String,
        /// Its offset from the first tensor.
        offset: u64,
        /// The GGUF's alignment.
        alignment: u64,
    },
    /// Two tensors share bytes.
    #[error("the tensors {first} and {second} overlap in the file; convert the model again")]
    Overlap {
        /// The tensor that begins first.
        first: String,
        /// The other one.
        second: String,
    },
    /// Rows were asked for that a tensor does not have.
    #[error("the tensor {tensor} has {rows} rows, rows {start} to {end} were asked for")]
    Rows {
        /// The tensor.
        tensor: String,
        /// Rows that it has.
        rows: usize,
        /// The first row asked for.
        start: usize,
        /// One past the last row asked for.
        end: usize,
    },
}
