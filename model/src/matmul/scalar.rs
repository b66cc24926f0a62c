//! The kernel that runs everywhere, and that says what the others must give.
use super::{Lanes, SEGMENT_SHIFT, SEGMENT_TILES};
use crate::matrix::{TILE_COLS, TILE_ROWS, Tile};

/// Totals of 16 rows: for each row `Σ over segments (Σ over lanes ...) >> 8`.
///
/// Row by row, so that a 486's seven registers hold the sums; the block stays in the cache.
#[optimize(speed)]
pub fn block(tiles: &[Tile], x: &[Lanes]) -> [i32; TILE_ROWS] {
    let mut totals = [0; TILE_ROWS];
    for (tiles, x) in tiles.chunks(SEGMENT_TILES).zip(x.chunks(SEGMENT_TILES)) {
        for (row, total) in totals.iter_mut().enumerate() {
            let (mut odd, mut even) = (0i32, 0i32);
            for (tile, x) in tiles.iter().zip(x) {
                let [b0, b1, b2, b3] =
                    *tile.0[row * TILE_COLS..].first_chunk::<TILE_COLS>().unwrap_or(&[0; 4]);
                let ([x1, x3], [x0, x2]) = (x.odd[0], x.even[0]);
                odd += i32::from(i16::from_le_bytes([b0, b1])) * i32::from(x1);
                odd += i32::from(i16::from_le_bytes([b2, b3])) * i32::from(x3);
                even += i32::from(b0 as i8) * i32::from(x0) + i32::from(b2 as i8) * i32::from(x2);
            }
            // The two sums together fit i32 (asserted), whatever the order.
            *total += odd.wrapping_add(even << 8) >> SEGMENT_SHIFT;
        }
    }
    totals
}
