//! SSE4.1 as QEMU's translator likes it: without taking the bytes of a row apart.
//!
//! Let `v` be a row's four bytes as one number, `b0 + 2^8 b1 + 2^16 b2 + 2^24 b3`, and `v >> 8k` what
//! is left without the lowest k bytes. Then `b0 = v - 2^8 (v >> 8)`, and so on, so that
//!
//! `Σ b·x = v · x0 + (v >> 8) · (x1 - 2^8 x0) + (v >> 16) · (x2 - 2^8 x1) + (v >> 24) · (x3 - 2^8 x2)`
//!
//! The products overflow, but the sum is right modulo 2^32, and it fits i32. So four rows and four
//! columns take four `pmulld` with [`Four::coefficients`], three shifts, and no masks.
//!
//! Why that is fast in TCG, and on no processor: TCG calls a C function for `pmaddwd` (measured:
//! 4.2 ns), but has the host's own instruction in line for `pmulld` (0.4 ns), packed adds and shifts
//! (0.5 ns). It keeps the xmm registers in memory and fills them by 8 bytes; an instruction that
//! reads all 16 just after waits until the halves have left the store buffer (`movdqa` from memory
//! and a use: 7 ns; `movlps`, `movhps` and a use later: 2.3 ns). Hence loads by halves, a tile
//! ahead; two vectors (8 rows) side by side; every result used a few instructions later. The order
//! matters, so it is written in assembly, where no scheduler undoes it. A pass over 15.2 MB takes
//! 10.5 ms in this order, 20 ms with one vector after the other, and 17.7 ms with `pmaddwd`.
use super::{Four, Rows};
use crate::matrix::{TILE_BYTES, TILE_ROWS, Tile};
use core::arch::asm;

const _: () = assert!(size_of::<Four>() == 32 && TILE_BYTES == 64, "the offsets below");

/// Adds the products of 16 rows, as [`super::scalar::add_block`], with [`Four::coefficients`].
#[target_feature(enable = "sse4.1")]
#[inline(never)]
#[cfg_attr(target_os = "none", unsafe(link_section = ".text.hot"))] // kernel/pc/program.ld
pub fn add_block(tiles: &[Tile], x: &[Four], totals: &mut Rows) {
    let count = tiles.len().min(x.len());
    if count == 0 {
        return;
    }
    for (half, totals) in totals.as_chunks_mut::<{ TILE_ROWS / 2 }>().0.iter_mut().enumerate() {
        // SAFETY: `count` is 1 or more; the loop reads 32 bytes at offset 0 or 32 of `count` tiles
        // and all 32 bytes of `count` inputs, and reads and writes the 32 bytes of `totals`. It uses only
        // the registers that it names, and the caller's SSE4.1.
        unsafe {
            asm!(
                "movlps xmm0, [{totals}]",
                "movhps xmm0, [{totals} + 8]",
                "movlps xmm1, [{totals} + 16]",
                "movhps xmm1, [{totals} + 24]",
                // no top bytes are left over from a tile before the first
                "pxor xmm3, xmm3",
                "pxor xmm4, xmm4",
                "pxor xmm5, xmm5",
                "2:",
                // v: 4 rows in xmm6, the next 4 in xmm7
                "movlps xmm6, [{w}]",
                "movhps xmm6, [{w} + 8]",
                "movlps xmm7, [{w} + 16]",
                "movhps xmm7, [{w} + 24]",
                // the top bytes of the tile before: xmm4, xmm5 = v >> 24, xmm3 = their coefficient
                "pmulld xmm4, xmm3",
                "pmulld xmm5, xmm3",
                "movddup xmm2, [{x}]",
                "movddup xmm3, [{x} + 8]",
                "paddd xmm0, xmm4",
                "paddd xmm1, xmm5",
                "movdqa xmm4, xmm6",
                "movdqa xmm5, xmm7",
                "psrld xmm6, 8",
                "psrld xmm7, 8",
                "pmulld xmm4, xmm2",
                "pmulld xmm5, xmm2",
                "movddup xmm2, [{x} + 16]",
                "paddd xmm0, xmm4",
                "paddd xmm1, xmm5",
                "movdqa xmm4, xmm6",
                "movdqa xmm5, xmm7",
                "psrld xmm6, 8",
                "psrld xmm7, 8",
                "pmulld xmm4, xmm3",
                "pmulld xmm5, xmm3",
                "movddup xmm3, [{x} + 24]",
                "paddd xmm0, xmm4",
                "paddd xmm1, xmm5",
                "movdqa xmm4, xmm6",
                "movdqa xmm5, xmm7",
                "psrld xmm6, 8",
                "psrld xmm7, 8",
                "pmulld xmm4, xmm2",
                "pmulld xmm5, xmm2",
                "add {w}, 64",
                "add {x}, 32",
                "paddd xmm0, xmm4",
                "paddd xmm1, xmm5",
                "movdqa xmm4, xmm6",
                "movdqa xmm5, xmm7",
                "dec {count}",
                "jnz 2b",
                "pmulld xmm4, xmm3",
                "pmulld xmm5, xmm3",
                "paddd xmm0, xmm4",
                "paddd xmm1, xmm5",
                "movups [{totals}], xmm0",
                "movups [{totals} + 16], xmm1",
                w = inout(reg) tiles.as_ptr().cast::<u8>().wrapping_add(half * TILE_BYTES / 2) => _,
                x = inout(reg) x.as_ptr() => _,
                count = inout(reg) count => _,
                totals = in(reg) totals.as_mut_ptr(),
                out("xmm0") _, out("xmm1") _, out("xmm2") _, out("xmm3") _,
                out("xmm4") _, out("xmm5") _, out("xmm6") _, out("xmm7") _,
                options(nostack),
            );
        }
    }
}
