//! SSE2: four vectors of four rows each, one i32 sum a row, no sums across a register.
#[cfg(target_arch = "x86")]
use core::arch::x86::*;
#[cfg(target_arch = "x86_64")]
use core::arch::x86_64::*;

use super::{Lanes, SEGMENT_SHIFT, SEGMENT_TILES};
use crate::matrix::{TILE_ROWS, Tile};

const _: () = assert!(SEGMENT_SHIFT == 8, "the shifts below are immediates");

/// Totals of 16 rows, as [`super::scalar::block`].
#[target_feature(enable = "sse2")]
#[optimize(speed)]
pub fn block(tiles: &[Tile], x: &[Lanes]) -> [i32; TILE_ROWS] {
    let mut totals = [_mm_setzero_si128(); 4];
    for (tiles, x) in tiles.chunks(SEGMENT_TILES).zip(x.chunks(SEGMENT_TILES)) {
        let mut sums = [_mm_setzero_si128(); 4];
        for (tile, x) in tiles.iter().zip(x) {
            let weights = (&raw const tile.0).cast::<__m128i>();
            // SAFETY: `odd` and `even` are 16 bytes each, and `Lanes` is aligned to 16.
            let (odd, even) = unsafe {
                (_mm_load_si128((&raw const x.odd).cast()), _mm_load_si128((&raw const x.even).cast()))
            };
            for (v, sum) in sums.iter_mut().enumerate() {
                // SAFETY: a tile is four vectors of 16 bytes, aligned to 64, and v is below 4.
                let lanes = unsafe { _mm_load_si128(weights.add(v)) };
                let products = _mm_madd_epi16(lanes, odd);
                let shifted = _mm_madd_epi16(_mm_slli_epi16(lanes, 8), even);
                *sum = _mm_add_epi32(*sum, _mm_add_epi32(products, shifted));
            }
        }
        for (total, sum) in totals.iter_mut().zip(sums) {
            *total = _mm_add_epi32(*total, _mm_srai_epi32(sum, 8));
        }
    }
    // SAFETY: both are 64 bytes of plain integers.
    unsafe { core::mem::transmute::<[__m128i; 4], [i32; TILE_ROWS]>(totals) }
}
