//! Matrices of one-byte weights, in the order in which SIMD reads them.
//!
//! W (rows, cols) is cut into blocks of 16 rows; a block is a row of [`Tile`]s, each of which holds
//! 4 columns of its 16 rows. Rows and columns that fill up a tile are zero.
//!
//! A weight w is an i8; its byte is `w + 128`, which has no sign ([`crate::simd`] says why).
use crate::fixed::Scale;
use bytemuck::{Pod, Zeroable};

/// Rows of a tile.
pub const TILE_ROWS: usize = 16;
/// Columns of a tile.
pub const TILE_COLS: usize = 4;
/// Bytes of a tile: one cache line.
pub const TILE_BYTES: usize = TILE_ROWS * TILE_COLS;

/// Bits of a row's scale.
pub const SCALE_BITS: u32 = 16;

/// The byte of a weight of zero.
pub const WEIGHT_ZERO: i32 = 128;

/// The weights of 16 rows and 4 columns: row r's four bytes are at 4r.
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
    /// A row's weights are its integers times `scales[row] · 2^exponent`.
    pub exponent: i32,
    /// Fraction bits of y.
    pub fraction_bits: i32,
    /// A scale for each row, up to a multiple of [`TILE_ROWS`]; each of [`SCALE_BITS`].
    pub scales: &'m [u32],
    /// The tiles, block by block.
    pub tiles: &'m [Tile],
}

impl<'m> Matrix<'m> {
    /// Tiles in a block of 16 rows of `cols` columns.
    pub const fn tiles_per_block(cols: usize) -> usize {
        cols.div_ceil(TILE_COLS)
    }

    /// Blocks of 16 rows that hold `rows` rows.
    pub const fn blocks(rows: usize) -> usize {
        rows.div_ceil(TILE_ROWS)
    }

    /// The tiles of one block.
    #[inline(always)]
    pub fn block(&self, block: usize) -> &'m [Tile] {
        let tiles = Self::tiles_per_block(self.cols);
        &self.tiles[block * tiles..][..tiles]
    }

    /// Writes a row of weights into `out` (cols,), as numbers with `fraction_bits`: the embedding of a token.
    /// `out = weight · scale · 2^(exponent + fraction bits)`, rounded to the nearest.
    pub fn gather_row(&self, row: usize, fraction_bits: i32, out: &mut [i32]) {
        let scale = Scale::new(self.scales[row].into(), self.exponent + fraction_bits);
        for (tile, four) in self.block(row / TILE_ROWS).iter().zip(out.chunks_mut(TILE_COLS)) {
            for (out, &byte) in four.iter_mut().zip(&tile.rows()[row % TILE_ROWS]) {
                *out = scale.nearest(i32::from(byte) - WEIGHT_ZERO);
            }
        }
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
