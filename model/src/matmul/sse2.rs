//! SSE2: four vectors of four rows each, one i32 sum a row, no sums across a register.
//!
//! In assembly because a compiler for 16-bit code unrolls it to five times the bytes, and the machine's
//! code has 64 KB.
use super::{Four, Rows};
use crate::matrix::{TILE_BYTES, Tile};
use core::arch::asm;

const _: () = assert!(size_of::<Four>() == 32 && TILE_BYTES == 64, "the offsets below");

/// The low byte of each 16-bit lane.
#[repr(align(16))]
struct LowBytes(#[expect(dead_code, reason = "read by assembly")] [u16; 8]);
static LOW_BYTES: LowBytes = LowBytes([0xFF; 8]);

/// The products of four rows: v is the vector's place in the tile, sum its accumulator.
macro_rules! four_rows {
    ($v:literal, $sum:literal) => {
        concat!(
            "movdqa xmm6, [{w} + 16 * ",
            $v,
            "]\n",
            "movdqa xmm7, xmm6\n",
            "pand xmm6, [{low_bytes}]\n", // even columns
            "psrlw xmm7, 8\n",            // odd columns
            "pmaddwd xmm6, xmm4\n",
            "pmaddwd xmm7, xmm5\n",
            "paddd ",
            $sum,
            ", xmm6\n",
            "paddd ",
            $sum,
            ", xmm7\n",
        )
    };
}

/// Adds the products of 16 rows, as [`super::scalar::add_block`], with [`Four::pairs`].
#[target_feature(enable = "sse2")]
pub fn add_block(tiles: &[Tile], x: &[Four], totals: &mut Rows) {
    let count = tiles.len().min(x.len());
    if count == 0 {
        return;
    }
    // SAFETY: `count` is 1 or more; the loop reads all 64 bytes of `count` tiles, which are aligned to
    // 64, and all 32 bytes of `count` inputs, aligned to 16; it reads and writes the 64 bytes of
    // `totals`. It uses only the registers that it names, and the caller's SSE2.
    unsafe {
        asm!(
            "movups xmm0, [{totals}]",
            "movups xmm1, [{totals} + 16]",
            "movups xmm2, [{totals} + 32]",
            "movups xmm3, [{totals} + 48]",
            "2:",
            "movdqa xmm4, [{x}]",
            "movdqa xmm5, [{x} + 16]",
            four_rows!(0, "xmm0"),
            four_rows!(1, "xmm1"),
            four_rows!(2, "xmm2"),
            four_rows!(3, "xmm3"),
            "add {w}, 64",
            "add {x}, 32",
            "dec {count}",
            "jnz 2b",
            "movups [{totals}], xmm0",
            "movups [{totals} + 16], xmm1",
            "movups [{totals} + 32], xmm2",
            "movups [{totals} + 48], xmm3",
            w = inout(reg) tiles.as_ptr() => _,
            x = inout(reg) x.as_ptr() => _,
            count = inout(reg) count => _,
            low_bytes = in(reg) &raw const LOW_BYTES,
            totals = in(reg) totals.as_mut_ptr(),
            out("xmm0") _, out("xmm1") _, out("xmm2") _, out("xmm3") _,
            out("xmm4") _, out("xmm5") _, out("xmm6") _, out("xmm7") _,
            options(nostack),
        );
    }
}
