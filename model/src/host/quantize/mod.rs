//! From fp32 weights to the integers of the packed model.
use crate::fixed::Scale;
use crate::matrix::{Coding, Matrix, SCALE_BITS, Tile};

mod feeding;
mod groups;
mod rounded_rows;
mod rows;
pub use feeding::Feeding;
pub use groups::quantize_groups;
pub use rounded_rows::RoundedRows;
pub use rows::Part;

/// Weights of norms are integers up to 2^NORM_WEIGHT_BITS.
const NORM_WEIGHT_BITS: i32 = 30;
/// Outputs of a matrix stay below 2^OUTPUT_BITS.
const OUTPUT_BITS: i32 = 22;

/// The exponent e for which `value / 2^e` is in [2^(bits-1), 2^bits); 0 for zero.
fn exponent_for(value: f64, bits: i32) -> i32 {
    if value == 0.0 {
        return 0;
    }
    let mut exponent = value.log2().floor() as i32 + 1 - bits;
    while value / 2f64.powi(exponent) >= 2f64.powi(bits) {
        exponent += 1;
    }
    exponent
}

/// The exponent of two of the unit in which scales, the largest of them this one, are integers of [`SCALE_BITS`].
fn scale_exponent(largest: f64) -> i32 {
    // Rounding must not reach 2^16, so the largest is aimed a little below.
    exponent_for(largest * (1.0 + 2f64.powi(-15)), SCALE_BITS as i32)
}

/// A positive number as a scale, cut to 31 bits.
pub fn scale_of(value: f64) -> Scale {
    let exponent = exponent_for(value, 31);
    Scale { mantissa: (value / 2f64.powi(exponent)) as u32, exponent }
}

/// A matrix whose numbers are its own, as [`Matrix`] has them.
pub struct QuantizedMatrix {
    rows: usize,
    cols: usize,
    /// As [`Matrix::coding`].
    pub coding: Coding,
    /// As [`Matrix::exponent`].
    pub exponent: i32,
    /// As [`Matrix::fraction_bits`].
    pub fraction_bits: i32,
    /// A scale for each row.
    pub scales: Vec<u32>,
    /// The blocks, in tiles as those must be aligned.
    pub tiles: Vec<Tile>,
}

impl QuantizedMatrix {
    /// The matrix as an engine reads it.
    pub fn view(&self) -> Matrix<'_> {
        let Self { rows, cols, coding, exponent, fraction_bits, ref scales, .. } = *self;
        Matrix { rows, cols, coding, exponent, fraction_bits, scales, blocks: self.blocks() }
    }

    /// The blocks.
    pub fn blocks(&self) -> &[u8] {
        let bytes = Matrix::blocks(self.rows) * self.coding.block_bytes(self.cols);
        &bytemuck::cast_slice(&self.tiles)[..bytes]
    }
}

/// Quantizes a matrix made of `parts` one below the other, each (rows, cols), with a scale for each
/// row. Outputs of the matrix will have `fraction_bits`. `feeding`: how errors are fed on, if they are.
pub fn quantize_matrix(
    parts: &[&[f32]],
    cols: usize,
    fraction_bits: i32,
    feeding: Option<&Feeding>,
) -> QuantizedMatrix {
    RoundedRows::new(parts, cols, feeding).quantized(fraction_bits)
}

/// Quantizes the weight of a norm: its integers, and the exponent of two that a 1 means.
pub fn quantize_norm_weight(weight: &[f32]) -> (Vec<i32>, i32) {
    let exponent = exponent_for(absmax(weight), NORM_WEIGHT_BITS);
    let unit = 2f64.powi(exponent);
    (weight.iter().map(|&w| (f64::from(w) / unit).round() as i32).collect(), exponent)
}

/// The fraction bits for the output of a matrix whose input is the output of an RMSNorm with these
/// gains: as many as leave no output that could be too large.
///
/// The normalised vector has length sqrt(cols) at most, so by Cauchy and Schwarz a row's output is
/// at most sqrt(cols) · |row ∘ gain|.
pub fn fraction_bits_after_norm(parts: &[&[f32]], gain: &[f32]) -> i32 {
    let length = |row: &[f32]| {
        let squares = row.iter().zip(gain).map(|(&w, &g)| (f64::from(w) * f64::from(g)).powi(2));
        squares.sum::<f64>().sqrt()
    };
    let rows = parts.iter().flat_map(|part| part.chunks_exact(gain.len()));
    let longest = rows.map(length).fold(0.0, f64::max);
    -exponent_for(longest * (gain.len() as f64).sqrt(), OUTPUT_BITS)
}

/// The largest magnitude.
fn absmax(values: &[f32]) -> f64 {
    values.iter().fold(0.0f32, |max, value| max.max(value.abs())).into()
}
