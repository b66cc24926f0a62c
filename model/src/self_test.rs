//! Do the SIMD kernels calculate on this very processor what it should? A boot asks before it relies on one.
use crate::allocation::Allocator;
use crate::attention;
use crate::crc32::Crc32;
use crate::fixed::Scale;
use crate::matmul::{Activations, matmul};
use crate::matrix::{Matrix, TILE_BYTES, TILE_ROWS, Tile};
use crate::requantize::SCALE_BITS;
use crate::simd::Simd;
use crate::workers::Processors;
use alloc::vec;
use alloc::vec::Vec;

/// Neither is a multiple of a tile.
const ROWS: usize = 2 * TILE_ROWS - 3;
const COLS: usize = 39;

/// Numbers that look random: Marsaglia's xorshift, "Xorshift RNGs", with one of its full periods.
struct Numbers(u32);

impl Numbers {
    fn next(&mut self) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 17;
        self.0 ^= self.0 << 5;
        self.0
    }

    /// A byte; every fourth one is the least or the greatest.
    fn byte(&mut self) -> u8 {
        match self.next() >> 24 {
            byte if byte & 3 != 0 => byte as u8,
            byte if byte & 4 != 0 => u8::MAX,
            _ => 0,
        }
    }
}

/// A CRC of the products of a matrix and of attention, with weights and inputs that reach the limits.
/// The same for all that work.
pub fn fingerprint(simd: Simd) -> u32 {
    let mut numbers = Numbers(0x2026_1123);
    let tiles = Matrix::blocks(ROWS) * Matrix::tiles_per_block(COLS);
    let mut tile = || {
        let mut bytes = [0; TILE_BYTES];
        bytes.fill_with(|| numbers.byte());
        Tile(bytes)
    };
    let tiles: Vec<Tile> = (0..tiles).map(|_| tile()).collect();
    let scales: Vec<u32> =
        (0..Matrix::blocks(ROWS) * TILE_ROWS).map(|_| numbers.next() >> (32 - SCALE_BITS)).collect();
    let matrix = Matrix {
        rows: ROWS,
        cols: COLS,
        exponent: -(SCALE_BITS as i32),
        fraction_bits: 0,
        scales: &scales,
        tiles: &tiles,
    };
    let x: Vec<i32> = (0..COLS).map(|_| i32::from(numbers.byte()) - 128).collect();
    let mut input = Activations::new(&mut Allocator::default(), COLS, simd);
    input.quantize(&x, Scale::new(1, 0));
    let mut y = vec![0; ROWS];
    matmul(Processors::one(simd), &matrix, &input, &mut y);
    let mut crc = Crc32::new();
    crc.update(bytemuck::cast_slice(&y));
    let pairs = core::array::from_fn(|_| [(); 2].map(|()| i32::from(numbers.byte()) * 16 - 2048));
    let factors = core::array::from_fn(|_| [(); 2].map(|()| i32::from(numbers.byte()) * 128 - 16384));
    crc.update(bytemuck::cast_slice(&attention::sample_of_products(simd, &pairs, &factors)));
    crc.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_kernels_have_the_same() {
        for simd in Simd::all() {
            assert_eq!(fingerprint(simd), fingerprint(Simd::Scalar), "{simd:?}");
        }
    }
}
