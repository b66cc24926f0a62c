//! Matrices with a scale for each row, before they are tiles: rows of integers, and what a 1 of each row means.
use super::feeding::{Feeding, MOST_COLUMNS, round_rows};
use super::{QuantizedMatrix, absmax, scale_exponent};
use crate::matrix::factors::GROUP_ROWS;
use crate::matrix::{Coding, Matrix, TILE_BYTES, TILE_COLS, TILE_ROWS, Tile, WEIGHT_ZERO};
use rayon::prelude::*;

/// Largest magnitude of a weight's integer.
const WEIGHT_MAX: f64 = 127.0;
/// The largest scale of a row puts its largest weight at [`WEIGHT_MAX`]. Where errors are fed on, smaller ones, which
/// limit that weight, are tried too: so many scales in all,
const SCALES_TRIED: u32 = 12;
/// from one to the next less by such a share of the first.
const SCALE_STEP: f64 = 0.02;

/// Rows of integers, each with its scale.
pub struct RoundedRows {
    /// Integers in a row.
    cols: usize,
    /// The integers (rows, cols), -127 to 127.
    codes: Vec<i8>,
    /// A scale for each row; 0 for a row of zeros.
    scales: Vec<f64>,
}

impl RoundedRows {
    /// Rounds a matrix made of `parts` one below the other, each (rows, cols). `feeding`: how errors are fed on, if
    /// they are.
    pub fn new(parts: &[&[f32]], cols: usize, feeding: Option<&Feeding>) -> Self {
        let rows: Vec<&[f32]> = parts.iter().flat_map(|part| part.chunks_exact(cols)).collect();
        let scales: Vec<f64> = rows.par_iter().map(|row| absmax(row) / WEIGHT_MAX).collect();
        let unit = 2f64.powi(scale_exponent(largest(&scales)));
        let eights = rows.par_chunks(GROUP_ROWS).zip(scales.par_chunks(GROUP_ROWS));
        let rounded: Vec<Self> =
            eights.map(|(rows, scales)| round_eight(rows, cols, scales, unit, feeding)).collect();
        let codes: Vec<&[i8]> = rounded.iter().map(|eight| &eight.codes[..]).collect();
        let scales: Vec<&[f64]> = rounded.iter().map(|eight| &eight.scales[..]).collect();
        Self { cols, codes: codes.concat(), scales: scales.concat() }
    }

    /// The numbers that they stand for (rows, cols).
    pub fn numbers(&self) -> Vec<f32> {
        let rows = self.codes.chunks_exact(self.cols).zip(&self.scales);
        rows.flat_map(|(row, scale)| row.iter().map(move |&code| (f64::from(code) * scale) as f32)).collect()
    }

    /// A scale for each row, to be changed.
    pub fn scales_mut(&mut self) -> &mut [f64] {
        &mut self.scales
    }

    /// The matrix of these integers. Outputs of the matrix will have `fraction_bits`.
    pub fn quantized(&self, fraction_bits: i32) -> QuantizedMatrix {
        let (rows, cols) = (self.scales.len(), self.cols);
        let exponent = scale_exponent(largest(&self.scales));
        let scale = |scale: &f64| ((scale / 2f64.powi(exponent)).round() as u32).max(1);
        let mut scales: Vec<u32> = self.scales.iter().map(scale).collect();
        scales.resize(Matrix::blocks(rows) * TILE_ROWS, 0);
        let tiles_per_block = Coding::Rows.block_bytes(cols) / TILE_BYTES;
        let mut tiles = vec![Tile::ZERO; Matrix::blocks(rows) * tiles_per_block];
        let blocks = tiles.par_chunks_mut(tiles_per_block).zip(self.codes.par_chunks(TILE_ROWS * cols));
        blocks.for_each(|(tiles, codes)| {
            for (row, codes) in codes.chunks_exact(cols).enumerate() {
                for (tile, codes) in tiles.iter_mut().zip(codes.chunks(TILE_COLS)) {
                    for (byte, &code) in tile.0[row * TILE_COLS..].iter_mut().zip(codes) {
                        *byte = (i32::from(code) + WEIGHT_ZERO) as u8;
                    }
                }
            }
        });
        QuantizedMatrix { rows, cols, coding: Coding::Rows, exponent, fraction_bits, scales, tiles }
    }
}

/// Rounds at most 8 rows, whose largest scales these are, to multiples of scales that are multiples of `unit`.
fn round_eight(
    rows: &[&[f32]],
    cols: usize,
    largest: &[f64],
    unit: f64,
    feeding: Option<&Feeding>,
) -> RoundedRows {
    // Columns in the order in which errors are fed on.
    let order: Option<&[usize]> = feeding.map(|feeding| &feeding.order[..]);
    let column = |at: usize| order.map_or(at, |order| order[at]);
    let ordered: Vec<Vec<f32>> =
        rows.iter().map(|row| (0..cols).map(|at| row[column(at)]).collect()).collect();
    let rows: Vec<&[f32]> = ordered.iter().map(Vec::as_slice).collect();
    let mut best = RoundedRows { cols, codes: vec![0; rows.len() * cols], scales: vec![0.0; rows.len()] };
    let mut costs = [f64::INFINITY; GROUP_ROWS];
    for tried in 0..if feeding.is_some() { SCALES_TRIED } else { 1 } {
        let part = 1.0 - SCALE_STEP * f64::from(tried);
        // Rounded up, so that no weight is beyond 127 of the largest.
        let scales: Vec<f64> = largest.iter().map(|largest| (largest * part / unit).ceil() * unit).collect();
        let step = |row: usize, _| [scales[row].max(unit)];
        let rounded = round_rows(&rows, cols, MOST_COLUMNS, step, WEIGHT_MAX, feeding);
        for (r, codes) in best.codes.chunks_exact_mut(cols).enumerate() {
            if rounded.costs[r] < costs[r] {
                costs[r] = rounded.costs[r];
                best.scales[r] = scales[r];
                rounded.codes.iter().enumerate().for_each(|(at, rounded)| codes[column(at)] = rounded[r]);
            }
        }
    }
    best
}

fn largest(scales: &[f64]) -> f64 {
    scales.iter().fold(0.0, |largest, &scale| largest.max(scale))
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLS: usize = 21;

    /// The mean square of what rounding changes in the outputs, for inputs that know nothing of each other.
    fn error(rows: &RoundedRows, weights: &[f32], squares: &[f32]) -> f64 {
        let lost = rows.numbers().into_iter().zip(weights).map(|(a, b)| f64::from(a - b).powi(2));
        lost.zip(squares.iter().step_by(COLS + 1).cycle())
            .map(|(lost, &square)| lost * f64::from(square))
            .sum()
    }

    #[test]
    fn a_large_weight_of_small_inputs_is_limited() {
        let mut weights: Vec<f32> = (0..10 * COLS).map(|i| (i as f32 * 0.7).sin() / 3.0).collect();
        weights.iter_mut().step_by(COLS).for_each(|weight| *weight = 1.0);
        // A row of zeros among them.
        weights[3 * COLS..4 * COLS].fill(0.0);
        let mut squares = vec![0.0; COLS * COLS];
        squares.iter_mut().step_by(COLS + 1).for_each(|square| *square = 1.0);
        squares[0] = 0.0;
        let plain = RoundedRows::new(&[&weights], COLS, None);
        let limited = RoundedRows::new(&[&weights], COLS, Feeding::for_rows(&squares, COLS).as_ref());
        let (before, after) = (error(&plain, &weights, &squares), error(&limited, &weights, &squares));
        assert!(after < 0.95 * before, "{after}, not well below {before}");
        for rows in [plain, limited] {
            assert!(rows.numbers()[3 * COLS..4 * COLS].iter().all(|&number| number == 0.0));
            // Integers and scales are all that there is: the matrix gives the same numbers.
            let matrix = rows.quantized(16);
            let mut row = [0; COLS];
            matrix.view().gather_row(9, 24, &mut row);
            for (x, number) in row.iter().zip(&rows.numbers()[9 * COLS..]) {
                assert!((*x as f32 / 2f32.powi(24) - number).abs() < 1e-5, "{x}, not {number}");
            }
        }
    }
}
