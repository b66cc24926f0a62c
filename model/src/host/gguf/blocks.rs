//! Blocks: how a tensor's numbers are written, a row at a time.
//!
//! A quantized type writes 32 or 256 numbers as a block of small integer *codes* with scales, and
//! each number is `scale · code + offset`; 16 or 32 numbers in a row share scale and offset, a
//! *group*. The three float types have no codes.
//!
//! | step | where |
//! | --- | --- |
//! | what a block is, from codes to numbers | [`block`] |
//! | numbers of a few bits in bytes | [`fields`] |
//! | from numbers to the nearest codes | [`nearest`] |
//! | Q4_0, Q4_1, Q5_0, Q5_1, Q8_0: one group of 32 | [`simple`] |
//! | Q2_K, Q4_K, Q5_K: 256 numbers, groups with scale and minimum | [`k_minima`] |
//! | Q3_K, Q6_K: 256 numbers, groups with a scale | [`k_scales`] |
//! | F32, F16, BF16 | [`float`] |
//!
//! The order of the float operations is that of ggml's `dequantize_row_*` (src/ggml-quants.c), so
//! the numbers are the same to the last bit.
mod block;
mod fields;
mod float;
mod k_minima;
mod k_scales;
mod nearest;
mod simple;

use super::types::TensorType;
use block::Format;
pub use block::{Affine, Codes};
use thiserror::Error;

/// Why numbers cannot be read from blocks, or written as blocks.
#[derive(Debug, Error, PartialEq)]
pub enum BlockError {
    /// Bytes end within a block.
    #[error(
        "{bytes} bytes are no whole number of {} blocks, which have {} bytes each",
        .kind.name(),
        .kind.block_bytes()
    )]
    Bytes {
        /// The type of the blocks.
        kind: TensorType,
        /// How many bytes there are.
        bytes: usize,
    },
    /// Numbers end within a block.
    #[error(
        "{numbers} numbers are no whole number of {} blocks, which hold {} each; \
         Q8_0 takes rows of whole 32s, F16 any row",
        .kind.name(),
        .kind.block_elements()
    )]
    Numbers {
        /// The type of the blocks.
        kind: TensorType,
        /// How many numbers there are.
        numbers: usize,
    },
    /// The numbers do not fit where they shall go.
    #[error("the blocks hold {held} numbers, {wanted} are wanted")]
    Length {
        /// Numbers that the blocks hold.
        held: usize,
        /// Numbers that are asked for.
        wanted: usize,
    },
    /// A number that no block shall hold.
    #[error("number {index} is {value:?}: only finite numbers are quantized")]
    NotFinite {
        /// Which number.
        index: usize,
        /// What it is.
        value: f32,
    },
    /// A number beyond the type's range, mostly that of its 16-bit scales.
    #[error("number {index} is {value:?}, which is too large for {}; F32 holds it", .kind.name())]
    TooLarge {
        /// The type that shall hold it.
        kind: TensorType,
        /// Which number.
        index: usize,
        /// What it is.
        value: f32,
    },
}

/// Reads the numbers of whole blocks, ggml's `dequantize_row`. They are not checked: a scale that is
/// infinite or not a number gives numbers that are so too.
///
/// `bytes` and `out` must be equally many blocks of the type.
pub fn dequantize(kind: TensorType, bytes: &[u8], out: &mut [f32]) -> Result<(), BlockError> {
    let held = numbers_in(kind, bytes)?;
    if held != out.len() {
        return Err(BlockError::Length { held, wanted: out.len() });
    }
    (format(kind).dequantize)(bytes, out);
    Ok(())
}

/// Reads the codes of whole blocks with the groups' scales and offsets, for a program that computes
/// with them as they are. `None` for the float types, which have no codes.
pub fn codes(kind: TensorType, bytes: &[u8]) -> Result<Option<Codes>, BlockError> {
    numbers_in(kind, bytes)?;
    Ok(format(kind).codes.map(|codes| codes(bytes)))
}

/// Writes numbers as blocks: scales from the extremes of each group, then the nearest codes. The
/// same numbers give the same bytes everywhere.
///
/// ggml's own quantizers search for better scales; their files are smaller in error, not in bytes.
pub fn quantize(kind: TensorType, values: &[f32]) -> Result<Vec<u8>, BlockError> {
    if !values.len().is_multiple_of(kind.block_elements()) {
        return Err(BlockError::Numbers { kind, numbers: values.len() });
    }
    if let Some(index) = values.iter().position(|value| !value.is_finite()) {
        return Err(BlockError::NotFinite { index, value: values[index] });
    }
    (format(kind).quantize)(values).map_err(|block| {
        let first = block * kind.block_elements();
        let magnitude = |&index: &usize| values[index].abs();
        let index = (first..first + kind.block_elements())
            .max_by(|a, b| magnitude(a).total_cmp(&magnitude(b)))
            .unwrap_or(first);
        BlockError::TooLarge { kind, index, value: values[index] }
    })
}

/// How many numbers whole blocks hold.
fn numbers_in(kind: TensorType, bytes: &[u8]) -> Result<usize, BlockError> {
    if !bytes.len().is_multiple_of(kind.block_bytes()) {
        return Err(BlockError::Bytes { kind, bytes: bytes.len() });
    }
    Ok(bytes.len() / kind.block_bytes() * kind.block_elements())
}

/// The functions of a type.
const fn format(kind: TensorType) -> Format {
    use TensorType::*;
    match kind {
        F32 => float::F32,
        F16 => float::F16,
        Bf16 => float::BF16,
        Q4_0 => const { Format::of::<simple::Q4_0, _, _>(Q4_0) },
        Q4_1 => const { Format::of::<simple::Q4_1, _, _>(Q4_1) },
        Q5_0 => const { Format::of::<simple::Q5_0, _, _>(Q5_0) },
        Q5_1 => const { Format::of::<simple::Q5_1, _, _>(Q5_1) },
        Q8_0 => const { Format::of::<simple::Q8_0, _, _>(Q8_0) },
        Q2K => const { Format::of::<k_minima::Q2K, _, _>(Q2K) },
        Q3K => const { Format::of::<k_scales::Q3K, _, _>(Q3K) },
        Q4K => const { Format::of::<k_minima::Q4K, _, _>(Q4K) },
        Q5K => const { Format::of::<k_minima::Q5K, _, _>(Q5K) },
        Q6K => const { Format::of::<k_scales::Q6K, _, _>(Q6K) },
    }
}

#[cfg(test)]
mod known;
#[cfg(test)]
mod tests;
