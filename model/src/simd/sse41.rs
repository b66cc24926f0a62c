//! SSE4.1 as QEMU's translator likes it, for it alone: no processor is faster with it than with SSE2.
//!
//! TCG calls a C function for `pmaddwd` (measured: 4.2 ns), but has the host's own instruction in line for
//! `pmulld` (0.4 ns), packed adds and shifts (0.5 ns). It keeps the xmm registers in memory and fills them
//! by 8 bytes; an instruction that reads all 16 just after waits until the halves have left the store
//! buffer (`movdqa` from memory and a use: 7 ns; `movlps`, `movhps` and a use later: 2.3 ns). Hence products
//! of 32 bits; loads by halves, a tile ahead where that is possible; two vectors side by side, which share
//! a line below; every result used a few instructions later. The order matters, so it is written in
//! assembly, where no scheduler undoes it. A pass over 15.2 MB takes 10.5 ms in this order, 20 ms with one
//! vector after the other, and 17.7 ms with `pmaddwd`.
//!
//! `pmulld` multiplies what is packed without taking it apart. Let `v` be a row's four bytes as one number,
//! `b0 + 2^8 b1 + 2^16 b2 + 2^24 b3`, and `v >> 8k` what is left without the lowest k bytes. Then
//! `b0 = v - 2^8 (v >> 8)`, and so on, so that
//!
//! `Σ b·x = v · x0 + (v >> 8) · (x1 - 2^8 x0) + (v >> 16) · (x2 - 2^8 x1) + (v >> 24) · (x3 - 2^8 x2)`
//!
//! The products overflow, but the sum is right modulo 2^32, and it fits i32. So four rows and four
//! columns take four `pmulld`, three shifts, and no masks. In the same way a pair's two 16-bit numbers are
//! `p · x = v · x0 + (v >> 16) · (x1 - 2^16 x0)`.
use super::intrinsics::*;
pub use super::sse2::load;
pub use super::sse41_groups::{add_groups_of_4_bits, add_groups_of_8_bits, add_groups_with_offsets};
use super::{COLUMNS, Operand, Pair};
use crate::matrix::{Bits, TILE_BYTES, TILE_COLS, TILE_ROWS, Tile};
use core::arch::asm;

const _: () = assert!(size_of::<[Operand; 2]>() == 32 && TILE_BYTES == 64, "the offsets below");

/// What a pair is multiplied by, and what is left of it above its first number. Each twice.
#[inline(always)]
pub fn two(x0: i32, x1: i32) -> Operand {
    let c1 = x1 - (x0 << 16);
    Operand([x0, x0, c1, c1])
}

/// What each byte of a row's word is multiplied by, and what is left of the word above it. Each twice.
#[inline(always)]
pub fn four([x0, x1, x2, x3]: [i32; TILE_COLS]) -> [Operand; 2] {
    let (c1, c2, c3) = (x1 - (x0 << 8), x2 - (x1 << 8), x3 - (x2 << 8));
    [Operand([x0, x0, c1, c1]), Operand([c2, c2, c3, c3])]
}

/// As [`four`], two columns of eight.
#[inline(always)]
pub fn of_eight(bits: Bits, x: &[i32; 8], i: usize) -> Operand {
    let bits = bits as usize;
    let is_first = |i: usize| i.is_multiple_of(u32::BITS as usize / bits);
    let left = |i: usize| if is_first(i) { x[i] } else { x[i] - (x[i - 1] << bits) };
    let (a, b) = (left(2 * i), left(2 * i + 1));
    Operand([a, a, b, b])
}

/// As [`super::scalar::add_products`].
///
/// # Safety
/// There must be two of x for each tile, and one tile or more.
#[target_feature(enable = "sse4.1")]
#[inline(never)]
#[cfg_attr(target_os = "none", unsafe(link_section = ".text.hot"))] // kernel/pc/program.ld
pub unsafe fn add_products(tiles: &[Tile], x: &[Operand], totals: &mut [i32; TILE_ROWS]) {
    for (half, totals) in totals.as_chunks_mut::<{ TILE_ROWS / 2 }>().0.iter_mut().enumerate() {
        // SAFETY: the caller's promise: the loop runs once or more, and reads 32 bytes at offset 0 or 32 of
        // each tile and the 32 bytes of its x; it reads and writes the 32 bytes of `totals`. It uses only
        // the registers that it names, and the caller's SSE4.1.
        unsafe {
            asm!(
                "movlps xmm0, [{totals}]; movhps xmm0, [{totals} + 8]",
                "movlps xmm1, [{totals} + 16]; movhps xmm1, [{totals} + 24]",
                // no top bytes are left over from a tile before the first
                "pxor xmm3, xmm3; pxor xmm4, xmm4; pxor xmm5, xmm5",
                "2:",
                // v: 4 rows in xmm6, the next 4 in xmm7
                "movlps xmm6, [{w}]; movhps xmm6, [{w} + 8]",
                "movlps xmm7, [{w} + 16]; movhps xmm7, [{w} + 24]",
                // the top bytes of the tile before: xmm4, xmm5 = v >> 24, xmm3 = their coefficient
                "pmulld xmm4, xmm3; pmulld xmm5, xmm3",
                "movddup xmm2, [{x}]; movddup xmm3, [{x} + 8]",
                "paddd xmm0, xmm4; paddd xmm1, xmm5",
                "movdqa xmm4, xmm6; movdqa xmm5, xmm7",
                "psrld xmm6, 8; psrld xmm7, 8",
                "pmulld xmm4, xmm2; pmulld xmm5, xmm2",
                "movddup xmm2, [{x} + 16]",
                "paddd xmm0, xmm4; paddd xmm1, xmm5",
                "movdqa xmm4, xmm6; movdqa xmm5, xmm7",
                "psrld xmm6, 8; psrld xmm7, 8",
                "pmulld xmm4, xmm3; pmulld xmm5, xmm3",
                "movddup xmm3, [{x} + 24]",
                "paddd xmm0, xmm4; paddd xmm1, xmm5",
                "movdqa xmm4, xmm6; movdqa xmm5, xmm7",
                "psrld xmm6, 8; psrld xmm7, 8",
                "pmulld xmm4, xmm2; pmulld xmm5, xmm2",
                "add {w}, 64; add {x}, 32",
                "paddd xmm0, xmm4; paddd xmm1, xmm5",
                "movdqa xmm4, xmm6; movdqa xmm5, xmm7",
                "dec {count}; jnz 2b",
                "pmulld xmm4, xmm3; pmulld xmm5, xmm3",
                "paddd xmm0, xmm4; paddd xmm1, xmm5",
                "movups [{totals}], xmm0; movups [{totals} + 16], xmm1",
                w = inout(reg) tiles.as_ptr().cast::<u8>().wrapping_add(half * TILE_BYTES / 2) => _,
                x = inout(reg) x.as_ptr() => _,
                count = inout(reg) tiles.len() => _,
                totals = in(reg) totals.as_mut_ptr(),
                out("xmm0") _, out("xmm1") _, out("xmm2") _, out("xmm3") _,
                out("xmm4") _, out("xmm5") _, out("xmm6") _, out("xmm7") _,
                options(nostack),
            );
        }
    }
}

/// As [`super::scalar::columns`].
///
/// # Safety
/// All rows must lie within `pairs`, and there must be one or more.
#[target_feature(enable = "sse4.1")]
#[inline(never)]
#[cfg_attr(target_os = "none", unsafe(link_section = ".text.hot"))] // kernel/pc/program.ld
pub unsafe fn columns(pairs: &[Pair], stride: usize, x: &[Operand], start: i32, sums: &mut [i32; COLUMNS]) {
    let start = [start, start];
    // SAFETY: the caller's promise: the loop runs once or more, and reads a row's 32 bytes within the pairs
    // and the 16 bytes of each x; before it the 8 bytes of `start` are read, after it the 32 bytes of `sums`
    // written. It uses only the registers that it names, and the caller's SSE4.1.
    unsafe {
        asm!(
            "movddup xmm0, [{start}]",
            "movdqa xmm1, xmm0",
            "2:",
            "movlps xmm4, [{pairs}]; movhps xmm4, [{pairs} + 8]",
            "movlps xmm5, [{pairs} + 16]; movhps xmm5, [{pairs} + 24]",
            "movddup xmm2, [{x}]; movddup xmm3, [{x} + 8]",
            "movdqa xmm6, xmm4; movdqa xmm7, xmm5",
            "psrld xmm6, 16; psrld xmm7, 16",
            "pmulld xmm4, xmm2; pmulld xmm5, xmm2",
            "pmulld xmm6, xmm3; pmulld xmm7, xmm3",
            "add {pairs}, {stride}; add {x}, 16",
            "paddd xmm0, xmm4; paddd xmm1, xmm5",
            "paddd xmm0, xmm6; paddd xmm1, xmm7",
            "dec {count}; jnz 2b",
            "movups [{sums}], xmm0; movups [{sums} + 16], xmm1",
            pairs = inout(reg) pairs.as_ptr() => _,
            x = inout(reg) x.as_ptr() => _,
            stride = in(reg) stride * size_of::<Pair>(),
            count = inout(reg) x.len() => _,
            start = in(reg) start.as_ptr(),
            sums = in(reg) sums.as_mut_ptr(),
            out("xmm0") _, out("xmm1") _, out("xmm2") _, out("xmm3") _,
            out("xmm4") _, out("xmm5") _, out("xmm6") _, out("xmm7") _,
            options(nostack),
        );
    }
}

/// As [`super::scalar::rescale`]. The halves of x are multiplied apart:
/// `(x >> 16) · scale + (((x & 0xFFFF) · scale) >> 16)`.
///
/// # Safety
/// There must be one scale for all, or as many as numbers.
#[target_feature(enable = "sse4.1")]
#[inline(never)]
#[cfg_attr(target_os = "none", unsafe(link_section = ".text.hot"))] // kernel/pc/program.ld
pub unsafe fn rescale(x: &mut [[i32; 8]], scales: &[[u32; 8]], shift: u32) -> i32 {
    let step = if scales.len() == 1 { 0 } else { size_of::<[u32; 8]>() };
    let mut max = [i32::MIN; 4];
    if x.is_empty() {
        return i32::MIN;
    }
    // SAFETY: the loop reads and writes the 32 bytes of each x, reads the 32 bytes of its scales (the
    // caller's promise) and reads and writes the 16 bytes of `max`. It uses only the registers that it
    // names, and the caller's SSE4.1.
    unsafe {
        asm!(
            "movd xmm4, {shift:e}",
            "movddup xmm5, [{max}]",
            "2:",
            "movlps xmm0, [{x}]; movhps xmm0, [{x} + 8]",
            "movlps xmm1, [{x} + 16]; movhps xmm1, [{x} + 24]",
            "movlps xmm2, [{scales}]; movhps xmm2, [{scales} + 8]",
            "movlps xmm3, [{scales} + 16]; movhps xmm3, [{scales} + 24]",
            "movdqa xmm6, xmm0; movdqa xmm7, xmm1",
            "pslld xmm0, 16; pslld xmm1, 16",
            "psrad xmm6, 16; psrad xmm7, 16",
            "psrld xmm0, 16; psrld xmm1, 16",
            "pmulld xmm6, xmm2; pmulld xmm7, xmm3",
            "pmulld xmm0, xmm2; pmulld xmm1, xmm3",
            "psrld xmm0, 16; psrld xmm1, 16",
            "paddd xmm0, xmm6; paddd xmm1, xmm7",
            "psrad xmm0, xmm4; psrad xmm1, xmm4",
            "add {scales}, {step}",
            "movlps [{x}], xmm0; movhps [{x} + 8], xmm0",
            "movlps [{x} + 16], xmm1; movhps [{x} + 24], xmm1",
            "pmaxsd xmm5, xmm0; pmaxsd xmm5, xmm1",
            "add {x}, 32",
            "dec {count}; jnz 2b",
            "movlps [{max}], xmm5; movhps [{max} + 8], xmm5",
            x = inout(reg) x.as_mut_ptr() => _,
            scales = inout(reg) scales.as_ptr() => _,
            step = in(reg) step,
            count = inout(reg) x.len() => _,
            max = in(reg) max.as_mut_ptr(),
            shift = in(reg) shift,
            out("xmm0") _, out("xmm1") _, out("xmm2") _, out("xmm3") _,
            out("xmm4") _, out("xmm5") _, out("xmm6") _, out("xmm7") _,
            options(nostack),
        );
    }
    max[0].max(max[1]).max(max[2].max(max[3]))
}

/// As [`super::scalar::distances`].
#[target_feature(enable = "sse4.1")]
#[inline(never)]
#[optimize(speed)]
pub fn distances(x: &mut [[i32; 8]], max: i32, farthest: u32) {
    let (max, farthest) = (_mm_set1_epi32(max), _mm_set1_epi32(farthest as i32));
    for x in x.as_flattened_mut().as_chunks_mut::<4>().0 {
        // SAFETY: 16 bytes, read and written.
        unsafe {
            let distance = _mm_sub_epi32(max, _mm_loadu_si128(x.as_ptr().cast()));
            _mm_storeu_si128(x.as_mut_ptr().cast(), _mm_min_epu32(distance, farthest));
        }
    }
}
