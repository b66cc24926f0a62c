//! Matrices of weights of few bits, in the order in which SIMD reads them.
//!
//! W (rows, cols) is cut into blocks of 16 rows; a block is a row of [`Tile`]s, each of which holds a few columns
//! of its 16 rows: 4 columns of bytes, or 8 columns of 4-bit codes. Rows and columns that fill up a tile are
//! zero.
//!
//! How a weight is written is the matrix's [`Coding`]. A weight of 8 bits is an i8; its byte is `w + 128`, which
//! has no sign ([`crate::simd`] says why).
mod coding;
pub mod factors;

pub use coding::{Bits, Coding, GROUPED_ACTIVATION, Grouped, O_BITS};
use factors::{Factors, Vector, row_of};

use crate::fixed::Scale;
use bytemuck::{Pod, Zeroable};

/// Rows of a tile.
pub const TILE_ROWS: usize = 16;
/// Bytes of a row in a tile.
pub const TILE_COLS: usize = 4;
/// Bytes of a tile: one cache line.
pub const TILE_BYTES: usize = TILE_ROWS * TILE_COLS;

/// Bits of a row's scale.
pub const SCALE_BITS: u32 = 16;

/// The byte of a weight of zero.
pub const WEIGHT_ZERO: i32 = 128;

/// The codes of 16 rows: row r's four bytes are at 4r.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C, align(64))]
pub struct Tile(pub [u8; TILE_BYTES]);

const _: () = assert!(size_of::<Tile>() == TILE_BYTES && align_of::<Tile>() == TILE_BYTES);

impl Tile {
    /// All weights zero.
    pub const ZERO: Self = Self([WEIGHT_ZERO as u8; TILE_BYTES]);

    /// The bytes of each row.
    #[inline]
    pub fn rows(&self) -> &[[u8; TILE_COLS]] {
        self.0.as_chunks().0
    }
}

/// A matrix W (rows, cols): `y = W @ x`.
#[derive(Clone, Copy)]
pub struct Matrix<'m> {
    /// Rows that count.
    pub rows: usize,
    /// Columns that count.
    pub cols: usize,
    /// How its weights are written.
    pub coding: Coding,
    /// A row's weights are its integers times `scales[row] · 2^exponent`.
    pub exponent: i32,
    /// Fraction bits of y.
    pub fraction_bits: i32,
    /// A scale for each row, up to a multiple of [`TILE_ROWS`]; each of [`SCALE_BITS`].
    pub scales: &'m [u32],
    /// The tiles, block by block.
    pub tiles: &'m [Tile],
    /// The factors, block by block and in it group by group; none where rows have only a scale.
    pub factors: &'m [Vector],
}

impl<'m> Matrix<'m> {
    /// Blocks of 16 rows that hold `rows` rows.
    pub const fn blocks(rows: usize) -> usize {
        rows.div_ceil(TILE_ROWS)
    }

    /// The tiles and factors of one block.
    #[inline(always)]
    pub fn block(&self, block: usize) -> (&'m [Tile], &'m [Vector]) {
        let (tiles, vectors) = self.coding.in_block(self.cols);
        (&self.tiles[block * tiles..][..tiles], &self.factors[block * vectors..][..vectors])
    }

    /// Writes a row of weights into `out` (cols,), as numbers with `fraction_bits`: the embedding of a token.
    /// `out = weight · 2^(fraction bits)`, rounded to the nearest.
    pub fn gather_row(&self, row: usize, fraction_bits: i32, out: &mut [i32]) {
        let scale = Scale::new(self.scales[row].into(), self.exponent + fraction_bits);
        let (block, row) = (row / TILE_ROWS, row % TILE_ROWS);
        let (tiles, factors) = self.block(block);
        match self.coding {
            Coding::Rows => {
                for (tile, four) in tiles.iter().zip(out.chunks_mut(TILE_COLS)) {
                    for (out, &byte) in four.iter_mut().zip(&tile.rows()[row]) {
                        *out = scale.nearest(i32::from(byte) - WEIGHT_ZERO);
                    }
                }
            }
            Coding::Groups(grouped) => {
                let half = Scale { exponent: scale.exponent - 1, ..scale };
                let groups = tiles.chunks_exact(grouped.tiles()).zip(factors.chunks_exact(grouped.vectors()));
                for ((tiles, factors), out) in groups.zip(out.chunks_mut(grouped.columns)) {
                    let Factors { d, o } = row_of(factors, row);
                    for (column, out) in out.iter_mut().enumerate() {
                        let doubled = grouped.doubled(code(tiles, grouped.bits, row, column));
                        *out = half.nearest(d as i32 * doubled + (o << grouped.shift()));
                    }
                }
            }
        }
    }
}

/// The code of a row and a column of a group.
fn code(tiles: &[Tile], bits: Bits, row: usize, column: usize) -> u8 {
    match bits {
        Bits::Eight => tiles[column / 4].rows()[row][column % 4],
        Bits::Four => tiles[column / 8].rows()[row][column % 8 / 2] >> (4 * (column % 2)) & 0xF,
    }
}

#[cfg(test)]
mod tests {
    use crate::host::quantize::quantize_matrix;

    #[test]
    fn a_gathered_row_is_the_row_that_was_quantized() {
        for cols in [4, 6, 7, 33] {
            let weights: Vec<f32> = (0..20 * cols).map(|i| ((i * 37 % 101) as f32 - 50.0) / 25.0).collect();
            let matrix = quantize_matrix(&[&weights], cols, 16);
            let matrix = matrix.view();
            let mut row = vec![0; cols];
            for r in 0..20 {
                matrix.gather_row(r, 16, &mut row);
                for (got, weight) in row.iter().zip(&weights[r * cols..]) {
                    // Half a step of the row's 127.
                    assert!((*got as f32 / 65536.0 - weight).abs() <= 2.0 / 127.0 / 2.0 + 1e-4);
                }
            }
        }
    }
}
