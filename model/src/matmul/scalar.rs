//! The kernel that runs everywhere, and that says what the others must give.
use super::{Four, Rows};
use crate::matrix::{TILE_COLS, Tile};

/// Adds `Σ byte · x` for each of 16 rows.
///
/// Row by row, so that a 486's seven registers hold the sum; the block stays in the cache.
#[optimize(speed)]
#[inline(never)] // its callers have a kernel each
pub fn add_block(tiles: &[Tile], x: &[Four], totals: &mut Rows) {
    for (row, total) in totals.iter_mut().enumerate() {
        for (tile, x) in tiles.iter().zip(x) {
            let (&[b0, b1, b2, b3], [x0, x1, x2, x3]) = (&tile.rows()[row], x.inputs());
            let sum = i32::from(b0) * x0 + i32::from(b1) * x1 + i32::from(b2) * x2 + i32::from(b3) * x3;
            *total = total.wrapping_add(sum);
        }
    }
}

const _: () = assert!(TILE_COLS == 4);
