//! SSE2: four vectors of four rows each, one i32 sum a row, no sums across a register.
#[cfg(target_arch = "x86")]
use core::arch::x86::*;
#[cfg(target_arch = "x86_64")]
use core::arch::x86_64::*;

use super::Four;
use crate::matrix::{TILE_ROWS, Tile};

/// `start` plus the products of 16 rows, as [`super::scalar::block`], with [`Four::pairs`].
#[target_feature(enable = "sse2")]
#[optimize(speed)]
pub fn block(tiles: &[Tile], x: &[Four], start: i32) -> [i32; TILE_ROWS] {
    let mut totals = [_mm_set1_epi32(start); 4];
    let low_bytes = _mm_set1_epi16(0xFF);
    for (tile, x) in tiles.iter().zip(x) {
        let (weights, x) = ((&raw const tile.0).cast::<__m128i>(), (&raw const x.0).cast::<__m128i>());
        // SAFETY: a `Four` is two vectors of 16 bytes, and aligned to 16.
        let (even, odd) = unsafe { (_mm_load_si128(x), _mm_load_si128(x.add(1))) };
        for (v, total) in totals.iter_mut().enumerate() {
            // SAFETY: a tile is four vectors of 16 bytes, aligned to 64, and v is below 4.
            let bytes = unsafe { _mm_load_si128(weights.add(v)) };
            let evens = _mm_madd_epi16(_mm_and_si128(bytes, low_bytes), even);
            let odds = _mm_madd_epi16(_mm_srli_epi16(bytes, 8), odd);
            *total = _mm_add_epi32(*total, _mm_add_epi32(evens, odds));
        }
    }
    // SAFETY: both are 64 bytes of plain integers.
    unsafe { core::mem::transmute::<[__m128i; 4], [i32; TILE_ROWS]>(totals) }
}
