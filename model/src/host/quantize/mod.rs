//! From fp32 weights to the integers of the packed model.
use crate::fixed::Scale;
use crate::matrix::{Coding, Matrix, SCALE_BITS, TILE_BYTES, TILE_COLS, TILE_ROWS, Tile, WEIGHT_ZERO};
use rayon::prelude::*;

mod groups;
pub use groups::{Part, quantize_groups};

/// Largest magnitude of a weight's integer.
pub const WEIGHT_MAX: f64 = 127.0;
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
/// row. Outputs of the matrix will have `fraction_bits`.
pub fn quantize_matrix(parts: &[&[f32]], cols: usize, fraction_bits: i32) -> QuantizedMatrix {
    let rows: Vec<&[f32]> = parts.iter().flat_map(|part| part.chunks_exact(cols)).collect();
    let exact: Vec<f64> = rows.par_iter().map(|row| absmax(row) / WEIGHT_MAX).collect();
    // Rounded up, so that no weight is beyond 127 of them.
    let (exponent, scales) = row_scales(&exact, f64::ceil);
    let unit = 2f64.powi(exponent);
    let tiles = tiles(rows.len(), cols, |row, column| {
        quantize_weight(rows[row][column], f64::from(scales[row]) * unit)
    });
    QuantizedMatrix { rows: rows.len(), cols, coding: Coding::Rows, exponent, fraction_bits, scales, tiles }
}

/// Rows of integers that others have rounded, each with its scale.
pub struct Rows {
    /// Integers in a row.
    pub cols: usize,
    /// The integers (rows, cols), -127 to 127.
    pub codes: Vec<i8>,
    /// A scale for each row.
    pub scales: Vec<f64>,
}

impl Rows {
    /// The numbers that they stand for (rows, cols).
    pub fn numbers(&self) -> Vec<f32> {
        let rows = self.codes.chunks_exact(self.cols).zip(&self.scales);
        rows.flat_map(|(row, scale)| row.iter().map(move |&code| (f64::from(code) * scale) as f32)).collect()
    }

    /// The matrix of these integers. Outputs of the matrix will have `fraction_bits`.
    pub fn quantized(&self, fraction_bits: i32) -> QuantizedMatrix {
        let (rows, cols) = (self.scales.len(), self.cols);
        let (exponent, scales) = row_scales(&self.scales, f64::round);
        let byte = |row, column| (i32::from(self.codes[row * cols + column]) + WEIGHT_ZERO) as u8;
        let tiles = tiles(rows, cols, byte);
        QuantizedMatrix { rows, cols, coding: Coding::Rows, exponent, fraction_bits, scales, tiles }
    }
}

/// Scales as integers of [`SCALE_BITS`], up to whole blocks, and the exponent of two that a 1 means.
fn row_scales(exact: &[f64], round: impl Fn(f64) -> f64) -> (i32, Vec<u32>) {
    let largest = exact.iter().fold(0.0, |a: f64, &b| a.max(b));
    // Rounding must not reach 2^16, so the largest is aimed a little below.
    let exponent = exponent_for(largest * (1.0 + 2f64.powi(-15)), SCALE_BITS as i32);
    let unit = 2f64.powi(exponent);
    let mut scales: Vec<u32> = exact.iter().map(|scale| (round(scale / unit) as u32).max(1)).collect();
    scales.resize(Matrix::blocks(exact.len()) * TILE_ROWS, 0);
    (exponent, scales)
}

/// The tiles of a matrix (rows, cols), `byte` by row and column.
fn tiles(rows: usize, cols: usize, byte: impl Fn(usize, usize) -> u8 + Sync) -> Vec<Tile> {
    let tiles_per_block = Coding::Rows.block_bytes(cols) / TILE_BYTES;
    let mut tiles = vec![Tile::ZERO; Matrix::blocks(rows) * tiles_per_block];
    tiles.par_chunks_mut(tiles_per_block).enumerate().for_each(|(block, tiles)| {
        for row in block * TILE_ROWS..rows.min((block + 1) * TILE_ROWS) {
            for column in 0..cols {
                let at = row % TILE_ROWS * TILE_COLS + column % TILE_COLS;
                tiles[column / TILE_COLS].0[at] = byte(row, column);
            }
        }
    });
    tiles
}

/// A weight's byte: the nearest i8, plus 128.
fn quantize_weight(weight: f32, scale: f64) -> u8 {
    let weight = (f64::from(weight) / scale).round_ties_even().clamp(-WEIGHT_MAX, WEIGHT_MAX);
    (weight as i32 + WEIGHT_ZERO) as u8
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
