//! Matrices of one-byte weights, in the order in which a SIMD kernel reads them.
//!
//! W (rows, cols) is cut into blocks of 16 rows; a block is a row of [`Tile`]s, each of which holds
//! 4 columns of its 16 rows. Rows and columns that fill up a tile are zero.
//!
//! What a weight means. Two neighbouring bytes of a row are one little-endian 16-bit *lane*: the
//! even column's byte below, the odd column's above. The even weight is its byte (an i8). The odd
//! weight is the whole lane divided by 256: the even byte is a fraction of it, which the packer
//! takes into account when it rounds. So a kernel multiplies the lane as it is by the odd input
//! and the lane shifted left by 8 by the even input, and never takes bytes apart:
//!
//! `256 · (w_even · x_even + w_odd · x_odd) = (lane << 8) · x_even + lane · x_odd`
use crate::fixed::{Factor, Scale};
use alloc::vec::Vec;

/// Rows of a tile.
pub const TILE_ROWS: usize = 16;
/// Columns of a tile.
pub const TILE_COLS: usize = 4;
/// Bytes of a tile: one cache line.
pub const TILE_BYTES: usize = TILE_ROWS * TILE_COLS;

/// The weights of 16 rows and 4 columns: row r's four bytes are at 4r.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
pub struct Tile(pub [u8; TILE_BYTES]);

const _: () = assert!(size_of::<Tile>() == TILE_BYTES && align_of::<Tile>() == TILE_BYTES);

// SAFETY: all bytes zero is a tile of zero weights.
unsafe impl bytemuck::Zeroable for Tile {}
// SAFETY: a tile is 64 bytes and nothing else (asserted above): no padding, every bit pattern
// valid, repr(C).
unsafe impl bytemuck::Pod for Tile {}

/// A matrix W (rows, cols): `y = W @ x`.
pub struct Matrix {
    /// Rows that count.
    pub rows: usize,
    /// Columns that count.
    pub cols: usize,
    /// A row's weights are its integers times `scales[row] · 2^exponent`.
    pub exponent: i32,
    /// Fraction bits of y.
    pub fraction_bits: i32,
    /// A scale for each row, up to a multiple of [`TILE_ROWS`]; each below 2^31.
    pub scales: Vec<u32>,
    /// The tiles, block by block.
    pub tiles: Vec<Tile>,
}

impl Matrix {
    /// Tiles in a block of 16 rows of `cols` columns.
    pub const fn tiles_per_block(cols: usize) -> usize {
        cols.div_ceil(TILE_COLS)
    }

    /// Blocks of 16 rows that hold `rows` rows.
    pub const fn blocks(rows: usize) -> usize {
        rows.div_ceil(TILE_ROWS)
    }

    /// The tiles of one block.
    pub fn block(&self, block: usize) -> &[Tile] {
        let tiles = Self::tiles_per_block(self.cols);
        &self.tiles[block * tiles..][..tiles]
    }

    /// Writes a row of weights as numbers with `fraction_bits`: the embedding of a token.
    /// `out` has `cols` entries.
    pub fn gather_row(&self, row: usize, fraction_bits: i32, out: &mut [i32]) {
        let scale = Scale::new(self.scales[row].into(), self.exponent + fraction_bits - 8);
        let factor = Factor::new(scale);
        let at = row % TILE_ROWS * TILE_COLS;
        for (tile, four) in self.block(row / TILE_ROWS).iter().zip(out.chunks_mut(TILE_COLS)) {
            let bytes = &tile.0[at..at + TILE_COLS];
            let lane = |i: usize| i16::from_le_bytes([bytes[i], bytes[i + 1]]);
            let weights = [lane(0) << 8, lane(0), lane(2) << 8, lane(2)];
            for (out, weight) in four.iter_mut().zip(weights) {
                *out = factor.apply(weight.into());
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
