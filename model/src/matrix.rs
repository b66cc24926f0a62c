//! Matrices of weights of few bits, in the order in which SIMD reads them.
//!
//! W (rows, cols) is cut into blocks of 16 rows. How a block is written is the matrix's [`Coding`]. Where rows have
//! only a scale, it is a row of [`Tile`]s, each of which holds 4 columns of its 16 rows. Where columns are in
//! groups, it is two times 8 rows, and these are group after group: first the codes, 32 bits of each row after the
//! other, then the factors ([`factors`]). Rows and columns that fill up tiles and groups are zero.
//!
//! A weight of 8 bits is an i8; its byte is `w + 128`, which has no sign ([`crate::simd`] says why).
mod coding;
pub mod factors;

pub use coding::{
    Bits, Coding, GROUPED_ACTIVATION, GROUPS, Grouped, MORE_WITHOUT_OFFSETS, O_BITS, PRODUCT_SHIFT, SUM_SHIFT,
};
use factors::{Factors, GROUP_ROWS};

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
    /// How its weights are written.
    pub coding: Coding,
    /// A row's weights are its integers times `scales[row] · 2^exponent`.
    pub exponent: i32,
    /// Fraction bits of y.
    pub fraction_bits: i32,
    /// A scale for each row, up to a multiple of [`TILE_ROWS`]; each of [`SCALE_BITS`].
    pub scales: &'m [u32],
    /// The blocks.
    pub blocks: &'m [u8],
}

impl<'m> Matrix<'m> {
    /// Blocks of 16 rows that hold `rows` rows.
    pub const fn blocks(rows: usize) -> usize {
        rows.div_ceil(TILE_ROWS)
    }

    /// The bytes of one block.
    #[inline(always)]
    pub fn block(&self, block: usize) -> &'m [u8] {
        let bytes = self.coding.block_bytes(self.cols);
        &self.blocks[block * bytes..][..bytes]
    }

    /// Writes a row of weights into `out` (cols,), as numbers with `fraction_bits`: the embedding of a token.
    /// `out = weight · 2^(fraction bits)`, rounded to the nearest.
    pub fn gather_row(&self, row: usize, fraction_bits: i32, out: &mut [i32]) {
        let scale = Scale::new(self.scales[row].into(), self.exponent + fraction_bits);
        let (block, row) = (self.block(row / TILE_ROWS), row % TILE_ROWS);
        match self.coding {
            Coding::Rows => {
                for (tile, four) in tiles(block).iter().zip(out.chunks_mut(TILE_COLS)) {
                    for (out, &byte) in four.iter_mut().zip(&tile.rows()[row]) {
                        *out = scale.nearest(i32::from(byte) - WEIGHT_ZERO);
                    }
                }
            }
            Coding::Groups(grouped) => {
                let half = Scale { exponent: scale.exponent - 1, ..scale };
                let rows = &block[row / GROUP_ROWS * (block.len() / 2)..];
                for (group, out) in rows.chunks(grouped.bytes()).zip(out.chunks_mut(grouped.columns)) {
                    let (codes, factors) = group.split_at(grouped.code_bytes());
                    let Factors { d, o } = factors::of_row(factors, row % GROUP_ROWS);
                    for (column, out) in out.iter_mut().enumerate() {
                        let doubled = grouped.doubled(code(codes, grouped, row % GROUP_ROWS, column));
                        *out = half.nearest(d as i32 * doubled + (o << grouped.shift()));
                    }
                }
            }
        }
    }
}

/// The tiles of a block whose rows have only a scale.
#[inline(always)]
pub fn tiles(block: &[u8]) -> &[Tile] {
    bytemuck::cast_slice(block)
}

/// The code of a row and a column of a group.
fn code(codes: &[u8], grouped: Grouped, row: usize, column: usize) -> u8 {
    let (word, column) = (column / grouped.word_columns(), column % grouped.word_columns());
    let at = 4 * (GROUP_ROWS * word + row);
    match grouped.bits {
        Bits::Eight => codes[at + column],
        Bits::Four => codes[at + column / 2] >> (4 * (column % 2)) & 0xF,
    }
}

#[cfg(test)]
mod tests {
    use crate::host::quantize::quantize_matrix;

    #[test]
    fn a_gathered_row_is_the_row_that_was_quantized() {
        for cols in [4, 6, 7, 33] {
            let weights: Vec<f32> = (0..20 * cols).map(|i| ((i * 37 % 101) as f32 - 50.0) / 25.0).collect();
            let matrix = quantize_matrix(&[&weights], cols, 16, None);
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
