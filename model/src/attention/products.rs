//! The two products of attention, `q · k` and `Σ weight · value`, are the same to a SIMD kernel:
//! columns of pairs of 16-bit numbers, multiplied by the same pairs and added. The cache lies so
//! that eight neighbouring sums are eight columns.
use crate::simd::Simd;

/// Two 12-bit numbers of a column, which are multiplied by two others: `p0 · x0 + p1 · x1`. The first
/// is [`BIAS`] too large, so that it has no sign when the second is shifted out from above it.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub struct Pair(i32);

/// What a pair's first number is too large by.
const BIAS: i32 = 1 << 11;

// SAFETY: any bits are a pair.
unsafe impl bytemuck::Zeroable for Pair {}

impl Pair {
    /// Of numbers from -2048 to 2048.
    #[inline(always)]
    pub fn new(first: i32, second: i32) -> Self {
        Self((first + BIAS) | (second << 16))
    }

    /// The two numbers.
    #[inline(always)]
    pub fn numbers(self) -> [i32; 2] {
        [(self.0 & 0xFFFF) - BIAS, self.0 >> 16]
    }

    /// Changes the first number (0) or the second (1).
    #[inline(always)]
    pub fn set(&mut self, which: usize, number: i32) {
        *self = match which {
            0 => Self((self.0 & !0xFFFF) | (number + BIAS)),
            _ => Self((self.0 & 0xFFFF) | (number << 16)),
        };
    }
}

/// What sums start at, for the sum of the operands' first numbers.
#[inline(always)]
pub fn start(firsts: i32) -> i32 {
    firsts.wrapping_mul(-BIAS)
}

/// The two numbers that a row of pairs is multiplied by, as `simd` wants them.
#[derive(Clone, Copy)]
#[repr(C, align(16))]
pub struct Operand([i32; 4]);

// SAFETY: all bytes zero are two zeros.
unsafe impl bytemuck::Zeroable for Operand {}

impl Operand {
    /// Of 16-bit numbers. For 16-bit products the pair, four times. For 32-bit products `x0` twice and
    /// `x1 - 2^16 x0` twice: a whole pair is `p0 + 2^16 p1`, so `pair · x0 + p1 · (x1 - 2^16 x0)` is
    /// right modulo 2^32 (as in `matmul/sse41.rs`).
    #[inline(always)]
    pub fn new(simd: Simd, first: i32, second: i32) -> Self {
        let both = match simd {
            #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
            Simd::Sse41(_) => [first, second - (first << 16)],
            _ => [(first & 0xFFFF) | (second << 16); 2],
        };
        Self([both[0], both[0], both[1], both[1]])
    }
}

/// Columns that SIMD handles at once.
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

/// `sums[c] = Σ over rows: block[row][c] · x[row]`, which i32 must hold. `start` is what [`start`]
/// says.
#[inline(always)]
pub fn columns(simd: Simd, block: Block, x: &[Operand], start: i32) -> [i32; COLUMNS] {
    assert!(!x.is_empty() && block.is_within(x.len()), "rows of pairs outside the cache");
    match simd {
        Simd::Scalar => scalar(block, x, start),
        #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
        // SAFETY: the block is within its pairs (asserted), and an `Sse2` exists only where its
        // creator promised that SSE2 works.
        Simd::Sse2(_) => unsafe { sse2::columns(block, x, start) },
        #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
        // SAFETY: as above.
        Simd::Sse41(_) => unsafe { sse41::columns(block, x, start) },
    }
}

/// A few products, for the self-test: 4 rows of 8 columns of `pairs`, from -2048 to 2048, by `factors`,
/// from -2^14 to 2^14.
pub fn sample(simd: Simd, pairs: &[[i32; 2]; 32], factors: &[[i32; 2]; 4]) -> [i32; COLUMNS] {
    let pairs = pairs.map(|[first, second]| Pair::new(first, second));
    let x = factors.map(|[first, second]| Operand::new(simd, first, second));
    let firsts = factors.iter().map(|[first, _]| first).sum();
    columns(simd, Block { pairs: &pairs, starts: [0, 4], stride: COLUMNS }, &x, start(firsts))
}

fn scalar(block: Block, x: &[Operand], start: i32) -> [i32; COLUMNS] {
    let mut sums = [start; COLUMNS];
    for (sums, first) in sums.as_chunks_mut::<4>().0.iter_mut().zip(block.starts) {
        for (row, x) in x.iter().enumerate() {
            let (x0, x1) = (i32::from(x.0[0] as i16), x.0[0] >> 16);
            for (sum, pair) in sums.iter_mut().zip(&block.pairs[first + row * block.stride..]) {
                *sum = sum.wrapping_add((pair.0 & 0xFFFF) * x0 + (pair.0 >> 16) * x1);
            }
        }
    }
    sums
}

#[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
mod sse2 {
    use super::{Block, COLUMNS, Operand};
    #[cfg(target_arch = "x86")]
    use core::arch::x86::*;
    #[cfg(target_arch = "x86_64")]
    use core::arch::x86_64::*;

    /// # Safety
    /// All rows must lie within the block's pairs.
    #[target_feature(enable = "sse2")]
    pub unsafe fn columns(block: Block, x: &[Operand], start: i32) -> [i32; COLUMNS] {
        let mut sums = [_mm_set1_epi32(start); 2];
        for (row, x) in x.iter().enumerate() {
            // SAFETY: `x` is 16 bytes.
            let x = unsafe { _mm_load_si128((&raw const *x).cast()) };
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
}

#[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
mod sse41 {
    use super::{Block, COLUMNS, Operand, Pair};
    use core::arch::asm;

    /// In the order that suits QEMU's translator, for the reasons of `matmul/sse41.rs`.
    ///
    /// # Safety
    /// All rows must lie within the block's pairs; `x` must not be empty.
    #[target_feature(enable = "sse4.1")]
    #[inline(never)]
    #[cfg_attr(target_os = "none", unsafe(link_section = ".text.hot"))] // kernel/pc/program.ld
    pub unsafe fn columns(block: Block, x: &[Operand], start: i32) -> [i32; COLUMNS] {
        let mut sums = [start; COLUMNS];
        let [first, second] = block.starts.map(|start| block.pairs.as_ptr().wrapping_add(start));
        // SAFETY: the loop reads 16 bytes a row from both starts, which the caller promises to lie
        // within the pairs, and 16 bytes a row of `x`, and reads and writes the 32 bytes of `sums`. It
        // uses only the registers that it names.
        unsafe {
            asm!(
                "movddup xmm0, [{sums}]",
                "movdqa xmm1, xmm0",
                "2:",
                "movlps xmm4, [{first}]",
                "movhps xmm4, [{first} + 8]",
                "movlps xmm5, [{second}]",
                "movhps xmm5, [{second} + 8]",
                "movddup xmm2, [{x}]",
                "movddup xmm3, [{x} + 8]",
                "movdqa xmm6, xmm4",
                "movdqa xmm7, xmm5",
                "psrad xmm6, 16",
                "psrad xmm7, 16",
                "pmulld xmm4, xmm2",
                "pmulld xmm5, xmm2",
                "pmulld xmm6, xmm3",
                "pmulld xmm7, xmm3",
                "add {first}, {stride}",
                "add {second}, {stride}",
                "add {x}, 16",
                "paddd xmm0, xmm4",
                "paddd xmm1, xmm5",
                "paddd xmm0, xmm6",
                "paddd xmm1, xmm7",
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
                out("xmm0") _, out("xmm1") _, out("xmm2") _, out("xmm3") _,
                out("xmm4") _, out("xmm5") _, out("xmm6") _, out("xmm7") _,
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
            pairs in prop::collection::vec([-2048i32..=2048, -2048i32..=2048], 160), rows in 1usize..16,
            factors in prop::collection::vec([-16384i32..=16384, -16384i32..=16384], 16),
        ) {
            let columns_of = |simd| {
                let x: Vec<Operand> = factors[..rows].iter().map(|x| Operand::new(simd, x[0], x[1])).collect();
                let pairs: Vec<Pair> = pairs.iter().map(|p| Pair::new(p[0], p[1])).collect();
                let block = Block { pairs: &pairs, starts: [3, 7], stride: 9 };
                columns(simd, block, &x, start(factors[..rows].iter().map(|x| x[0]).sum()))
            };
            for simd in Simd::all() {
                for (c, sum) in columns_of(simd).into_iter().enumerate() {
                    let column = (0..rows).map(|row| pairs[3 + c + row * 9]);
                    let exact: i32 = column.zip(&factors).map(|(p, x)| p[0] * x[0] + p[1] * x[1]).sum();
                    prop_assert_eq!(sum, exact, "{:?}", simd);
                }
            }
        }
    }
}
