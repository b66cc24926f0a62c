//! The two products of attention, `q · k` and `Σ weight · value`, are the same to a SIMD kernel:
//! columns of pairs of 16-bit numbers, multiplied by the same pairs and added. The cache lies so
//! that eight neighbouring sums are eight columns.
use crate::matmul::Kernel;
use core::ops::Range;

/// A pair of numbers that are multiplied by a pair: `p0 · x0 + p1 · x1`.
pub type Pair = [i16; 2];
/// A pair, once for each lane of a vector.
pub type Broadcast = [Pair; 4];
/// Columns that a SIMD kernel handles at once.
pub const COLUMNS: usize = 8;

/// Rows of pairs: `rows` of them, [`COLUMNS`] columns in two vectors of four.
#[derive(Clone, Copy)]
pub struct Block<'a> {
    /// All the pairs.
    pub pairs: &'a [Pair],
    /// Where the first vector's first row starts, and the second's.
    pub starts: [usize; 2],
    /// From one row to the next.
    pub stride: usize,
}

impl Block<'_> {
    /// Is all of it within `pairs`?
    fn is_within(&self, rows: usize) -> bool {
        let last = self.starts[0].max(self.starts[1]) + (rows - 1) * self.stride + 4;
        last <= self.pairs.len()
    }
}

/// `sums[c] = Σ over rows: block[row][c] · x[row]`; i32 must hold them.
#[inline]
pub fn columns(kernel: Kernel, block: Block, x: &[Broadcast]) -> [i32; COLUMNS] {
    assert!(!x.is_empty() && block.is_within(x.len()), "rows of pairs outside the cache");
    match kernel {
        Kernel::Scalar => scalar(block, x),
        #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
        // SAFETY: the block is within its pairs (asserted), and an `Sse2` exists only where its
        // creator promised that SSE2 works.
        Kernel::Sse2(_) => unsafe { sse2::columns(block, x) },
        #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
        // SAFETY: as above.
        Kernel::Sse41(_) => unsafe { sse2::columns_by_halves(block, x) },
    }
}

fn scalar(block: Block, x: &[Broadcast]) -> [i32; COLUMNS] {
    let mut sums = [0; COLUMNS];
    for (sums, start) in sums.as_chunks_mut::<4>().0.iter_mut().zip(block.starts) {
        for (row, x) in x.iter().enumerate() {
            let pairs: Range<usize> = start + row * block.stride..start + row * block.stride + 4;
            for (sum, p) in sums.iter_mut().zip(&block.pairs[pairs]) {
                *sum += i32::from(p[0]) * i32::from(x[0][0]) + i32::from(p[1]) * i32::from(x[0][1]);
            }
        }
    }
    sums
}

#[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
mod sse2 {
    use super::{Block, Broadcast, COLUMNS, Pair};
    use core::arch::asm;
    #[cfg(target_arch = "x86")]
    use core::arch::x86::*;
    #[cfg(target_arch = "x86_64")]
    use core::arch::x86_64::*;

    /// For hardware.
    ///
    /// # Safety
    /// All rows must lie within the block's pairs.
    #[target_feature(enable = "sse2")]
    pub unsafe fn columns(block: Block, x: &[Broadcast]) -> [i32; COLUMNS] {
        let mut sums = [_mm_setzero_si128(); 2];
        for (row, x) in x.iter().enumerate() {
            // SAFETY: `x` is 16 bytes.
            let x = unsafe { _mm_loadu_si128((&raw const *x).cast()) };
            for (sum, start) in sums.iter_mut().zip(block.starts) {
                // SAFETY: the caller's promise: four pairs, 16 bytes, lie there.
                let pairs =
                    unsafe { _mm_loadu_si128(block.pairs.as_ptr().add(start + row * block.stride).cast()) };
                *sum = _mm_add_epi32(*sum, _mm_madd_epi16(pairs, x));
            }
        }
        // SAFETY: both are 32 bytes of plain integers.
        unsafe { core::mem::transmute::<[__m128i; 2], [i32; COLUMNS]>(sums) }
    }

    /// In the order that suits QEMU's translator, for the reasons of `matmul/sse41.rs`.
    ///
    /// # Safety
    /// As [`columns`]; `x` must not be empty.
    #[target_feature(enable = "sse2")]
    pub unsafe fn columns_by_halves(block: Block, x: &[Broadcast]) -> [i32; COLUMNS] {
        let mut sums = [0; COLUMNS];
        let [first, second] = block.starts.map(|start| block.pairs[start..].as_ptr());
        // SAFETY: the loop reads 16 bytes a row from both starts, which the caller promises to lie
        // within the pairs, and 16 bytes a row of `x`, and writes the 32 bytes of `sums`. It uses
        // only the registers that it names.
        unsafe {
            asm!(
                "pxor xmm0, xmm0",
                "pxor xmm1, xmm1",
                "2:",
                "movlps xmm4, [{first}]",
                "movhps xmm4, [{first} + 8]",
                "movlps xmm2, [{x}]",
                "movhps xmm2, [{x} + 8]",
                "movlps xmm5, [{second}]",
                "movhps xmm5, [{second} + 8]",
                "pmaddwd xmm4, xmm2",
                "pmaddwd xmm5, xmm2",
                "add {first}, {stride}",
                "add {second}, {stride}",
                "paddd xmm0, xmm4",
                "paddd xmm1, xmm5",
                "add {x}, 16",
                "dec {count}",
                "jnz 2b",
                "movups [{sums}], xmm0",
                "movups [{sums} + 16], xmm1",
                first = inout(reg) first => _,
                second = inout(reg) second => _,
                x = inout(reg) x.as_ptr() => _,
                stride = in(reg) block.stride * size_of::<Pair>(),
                count = inout(reg) x.len() => _,
                sums = in(reg) sums.as_mut_ptr(),
                out("xmm0") _, out("xmm1") _, out("xmm2") _, out("xmm4") _, out("xmm5") _,
                options(nostack),
            );
        }
        sums
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn kernels_give_the_same_sums(
            pairs in prop::collection::vec([-2047i16..=2047, -2047i16..=2047], 160), rows in 1usize..16,
            weights in prop::collection::vec([i16::MIN + 1..=i16::MAX, i16::MIN + 1..=i16::MAX], 16),
        ) {
            let x: Vec<Broadcast> = weights[..rows].iter().map(|&pair| [pair; 4]).collect();
            let block = Block { pairs: &pairs, starts: [3, 7], stride: 9 };
            for kernel in Kernel::all() {
                let sums = columns(kernel, block, &x);
                for (c, sum) in sums.into_iter().enumerate() {
                    let column = (0..rows).map(|row| pairs[3 + c + row * 9]);
                    let exact: i64 = column.zip(&weights).map(|(p, w)| {
                        i64::from(p[0]) * i64::from(w[0]) + i64::from(p[1]) * i64::from(w[1])
                    }).sum();
                    prop_assert_eq!(i64::from(sum), exact, "{:?}", kernel);
                }
            }
        }
    }
}
