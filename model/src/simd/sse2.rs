//! SSE2, the fastest on processors: `pmaddwd` multiplies eight 16-bit numbers and adds them in pairs. Four
//! rows or columns in a register, one i32 sum each, no sums across a register.
use super::intrinsics::*;
use super::scalar::two;
pub use super::scalar::{distances, rescale};
pub use super::sse2_groups::{add_groups_of_4_bits, add_groups_of_8_bits, add_groups_with_offsets};
use super::{COLUMNS, Operand, Pair};
use crate::matrix::{Bits, TILE_BYTES, TILE_COLS, TILE_ROWS, Tile};
use core::arch::asm;

/// Even columns, then odd ones.
#[inline(always)]
pub fn four([x0, x1, x2, x3]: [i32; TILE_COLS]) -> [Operand; 2] {
    [two(x0, x2), two(x1, x3)]
}

/// Two columns whose codes are 16 bits apart in a row's word.
#[inline(always)]
pub fn of_eight(bits: Bits, x: &[i32; 8], i: usize) -> Operand {
    match bits {
        Bits::Four => two(x[i], x[i + 4]),
        Bits::Eight => two(x[i + (i & 2)], x[i + (i & 2) + 2]),
    }
}

const _: () = assert!(size_of::<Operand>() == 16 && TILE_BYTES == 64, "the offsets below");

/// The low byte of each 16-bit lane.
#[repr(align(16))]
struct LowBytes(#[expect(dead_code, reason = "read by assembly")] [u16; 8]);
static LOW_BYTES: LowBytes = LowBytes([0xFF; 8]);

/// The products of four rows: v is the vector's place in the tile, sum its accumulator.
#[rustfmt::skip]
macro_rules! four_rows {
    ($v:literal, $sum:literal) => {
        concat!(
            "movdqa xmm6, [{w} + 16 * ", $v, "]; movdqa xmm7, xmm6;",
            "pand xmm6, [{low_bytes}]; psrlw xmm7, 8;", // even columns, odd columns
            "pmaddwd xmm6, xmm4; pmaddwd xmm7, xmm5;",
            "paddd ", $sum, ", xmm6; paddd ", $sum, ", xmm7",
        )
    };
}

/// As [`super::scalar::add_products`]. In assembly because a compiler for 16-bit code unrolls it to five
/// times the bytes, and the machine's code has 64 KB.
///
/// # Safety
/// There must be two of x for each tile, and one tile or more.
#[target_feature(enable = "sse2")]
pub unsafe fn add_products(tiles: &[Tile], x: &[Operand], totals: &mut [i32; TILE_ROWS]) {
    // SAFETY: the caller's promise: the loop runs once or more, and reads all 64 bytes of each tile, aligned
    // to 64, and the 32 bytes of its x, aligned to 16; it reads and writes the 64 bytes of `totals`. It
    // uses only the registers that it names, and the caller's SSE2.
    unsafe {
        asm!(
            "movups xmm0, [{totals}]; movups xmm1, [{totals} + 16]",
            "movups xmm2, [{totals} + 32]; movups xmm3, [{totals} + 48]",
            "2:",
            "movdqa xmm4, [{x}]; movdqa xmm5, [{x} + 16]",
            four_rows!(0, "xmm0"),
            four_rows!(1, "xmm1"),
            four_rows!(2, "xmm2"),
            four_rows!(3, "xmm3"),
            "add {w}, 64; add {x}, 32",
            "dec {count}; jnz 2b",
            "movups [{totals}], xmm0; movups [{totals} + 16], xmm1",
            "movups [{totals} + 32], xmm2; movups [{totals} + 48], xmm3",
            w = inout(reg) tiles.as_ptr() => _,
            x = inout(reg) x.as_ptr() => _,
            count = inout(reg) tiles.len() => _,
            low_bytes = in(reg) &raw const LOW_BYTES,
            totals = in(reg) totals.as_mut_ptr(),
            out("xmm0") _, out("xmm1") _, out("xmm2") _, out("xmm3") _,
            out("xmm4") _, out("xmm5") _, out("xmm6") _, out("xmm7") _,
            options(nostack),
        );
    }
}

/// As [`super::scalar::columns`].
///
/// # Safety
/// All rows must lie within `pairs`.
#[target_feature(enable = "sse2")]
pub unsafe fn columns(pairs: &[Pair], stride: usize, x: &[Operand], start: i32, sums: &mut [i32; COLUMNS]) {
    let mut accumulators = [_mm_set1_epi32(start); 2];
    for (row, x) in x.iter().enumerate() {
        for (half, sum) in accumulators.iter_mut().enumerate() {
            // SAFETY: `x` is 16 bytes, aligned to 16. Four pairs are 16 bytes, and eight lie there: the
            // caller's promise.
            let (pairs, x) = unsafe {
                let pairs = pairs.as_ptr().add(row * stride + 4 * half);
                (_mm_loadu_si128(pairs.cast()), _mm_load_si128((&raw const *x).cast()))
            };
            *sum = _mm_add_epi32(*sum, _mm_madd_epi16(pairs, x));
        }
    }
    for (sums, accumulator) in sums.as_chunks_mut::<4>().0.iter_mut().zip(accumulators) {
        // SAFETY: 16 bytes.
        unsafe { _mm_storeu_si128(sums.as_mut_ptr().cast(), accumulator) };
    }
}

/// Loads all tiles once, into four accumulators. In assembly, so that it is the same four loads on every
/// machine, whatever a compiler thinks of.
#[target_feature(enable = "sse2")]
pub fn load(tiles: &[Tile]) -> u32 {
    let mut sums = [0u32; 4];
    if tiles.is_empty() {
        return 0;
    }
    // SAFETY: the loop reads the 64 bytes of each of the tiles, which are aligned to 64 and at least
    // one, and writes the 16 bytes of `sums`. It uses only the registers that it names.
    unsafe {
        asm!(
            "pxor xmm0, xmm0; pxor xmm1, xmm1",
            "pxor xmm2, xmm2; pxor xmm3, xmm3",
            "2:",
            "paddd xmm0, [{tile}]; paddd xmm1, [{tile} + 16]",
            "paddd xmm2, [{tile} + 32]; paddd xmm3, [{tile} + 48]",
            "add {tile}, 64",
            "dec {count}; jnz 2b",
            "paddd xmm0, xmm1; paddd xmm2, xmm3",
            "paddd xmm0, xmm2",
            "movups [{sums}], xmm0",
            tile = inout(reg) tiles.as_ptr() => _,
            count = inout(reg) tiles.len() => _,
            sums = in(reg) sums.as_mut_ptr(),
            out("xmm0") _, out("xmm1") _, out("xmm2") _, out("xmm3") _,
            options(nostack),
        );
    }
    sums.into_iter().fold(0, u32::wrapping_add)
}
