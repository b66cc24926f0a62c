//! SSE2 as QEMU's translator likes it. Same integers as [`super::sse2`], other instructions.
//!
//! TCG keeps the xmm registers in memory, copies a 16-byte load as two 8-byte stores, and calls a C
//! function for `pmaddwd`. So an instruction that reads a whole register just after it was filled
//! by halves waits until the halves have left the store buffer. Measured there, a group:
//! `movdqa` from memory 4.7 ns, `movlps` + `movhps` 1.4 ns, `pmaddwd` 3.0 ns, `pmaddwd` and at
//! once the `paddd` of its result 5.6 ns, with another instruction between 3.0 ns. Hence loads by
//! halves, and two vectors (8 rows) side by side with every result used a few instructions later.
//! The order matters, so it is written in assembly, where no scheduler undoes it.
use super::{Lanes, SEGMENT_SHIFT, SEGMENT_TILES};
use crate::matrix::{TILE_BYTES, TILE_ROWS, Tile};
use core::arch::asm;

const _: () = assert!(size_of::<Lanes>() == 32 && TILE_BYTES == 64, "the offsets below");

/// Totals of 16 rows, as [`super::scalar::block`].
#[target_feature(enable = "sse2")]
pub fn block(tiles: &[Tile], x: &[Lanes]) -> [i32; TILE_ROWS] {
    let mut totals = [[0; TILE_ROWS / 2]; 2];
    for (half, totals) in totals.iter_mut().enumerate() {
        for (tiles, x) in tiles.chunks(SEGMENT_TILES).zip(x.chunks(SEGMENT_TILES)) {
            let count = tiles.len().min(x.len());
            // SAFETY: `chunks` gives slices that are not empty, so `count` is 1 or more; the loop
            // reads 32 bytes at offset 0 or 32 of `count` tiles and all 32 bytes of `count` lanes,
            // and reads and writes the 32 bytes of `totals`. It uses only the registers that it
            // names, and the caller's SSE2.
            unsafe {
                asm!(
                    "pxor xmm0, xmm0",
                    "pxor xmm1, xmm1",
                    "2:",
                    // w: 4 rows in xmm4, the next 4 in xmm5; x: odd in xmm2, even in xmm3
                    "movlps xmm4, [{w}]",
                    "movhps xmm4, [{w} + 8]",
                    "movlps xmm5, [{w} + 16]",
                    "movhps xmm5, [{w} + 24]",
                    "movlps xmm2, [{x}]",
                    "movhps xmm2, [{x} + 8]",
                    "movlps xmm3, [{x} + 16]",
                    "movhps xmm3, [{x} + 24]",
                    "movdqa xmm6, xmm4",
                    "movdqa xmm7, xmm5",
                    "pmaddwd xmm4, xmm2",
                    "psllw xmm6, 8",
                    "pmaddwd xmm5, xmm2",
                    "psllw xmm7, 8",
                    "pmaddwd xmm6, xmm3",
                    "pmaddwd xmm7, xmm3",
                    "paddd xmm0, xmm4",
                    "paddd xmm1, xmm5",
                    "paddd xmm0, xmm6",
                    "paddd xmm1, xmm7",
                    "add {w}, 64",
                    "add {x}, 32",
                    "dec {count}",
                    "jnz 2b",
                    // totals += sums >> SEGMENT_SHIFT
                    "movlps xmm4, [{totals}]",
                    "movhps xmm4, [{totals} + 8]",
                    "movlps xmm5, [{totals} + 16]",
                    "movhps xmm5, [{totals} + 24]",
                    "psrad xmm0, {shift}",
                    "psrad xmm1, {shift}",
                    "paddd xmm4, xmm0",
                    "paddd xmm5, xmm1",
                    "movups [{totals}], xmm4",
                    "movups [{totals} + 16], xmm5",
                    w = inout(reg) (&raw const tiles[0]).cast::<u8>().wrapping_add(half * TILE_BYTES / 2) => _,
                    x = inout(reg) x.as_ptr() => _,
                    count = inout(reg) count => _,
                    totals = in(reg) totals.as_mut_ptr(),
                    shift = const SEGMENT_SHIFT,
                    out("xmm0") _, out("xmm1") _, out("xmm2") _, out("xmm3") _,
                    out("xmm4") _, out("xmm5") _, out("xmm6") _, out("xmm7") _,
                    options(nostack),
                );
            }
        }
    }
    // The first half holds rows 0 to 7, the second 8 to 15.
    core::array::from_fn(|row| totals[row / 8][row % 8])
}
