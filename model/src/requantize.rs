//! `((x · scale) >> 16) >> shift` for many x: the outputs of a matrix's rows, and the scores of
//! positions. Rounded down. Scales are below 2^16, so that what is left of a product fits i32.
use crate::simd::Simd;

/// Bits of a scale, which the product loses.
pub const SCALE_BITS: u32 = 16;

/// Numbers that are scaled together: two vectors.
pub type Eight = [i32; 8];

/// What numbers are scaled by.
#[derive(Clone, Copy)]
pub enum Scales<'a> {
    /// All by the same.
    One(u32),
    /// Each by its own, as many as there are numbers.
    Each(&'a [[u32; 8]]),
}

/// Scales numbers; returns the largest result. The shift may go to the left, and then results are limited
/// to i32.
#[inline(always)]
pub fn scale(simd: Simd, x: &mut [Eight], scales: Scales, shift: i32) -> i32 {
    if let Scales::Each(scales) = scales {
        assert!(scales.len() >= x.len(), "a scale for each number");
    }
    match simd {
        _ if shift < 0 => to_the_left(x, scales, -shift as u32),
        #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
        // SAFETY: an `Sse41` exists only where its creator promised that SSE4.1 works; there are enough
        // scales.
        Simd::Sse41(_) => unsafe { sse41::scale(x, scales, shift) },
        _ => scalar(x, scales, shift),
    }
}

impl Scales<'_> {
    /// The scales of numbers `8i` to `8i + 7`.
    #[inline(always)]
    fn of(&self, i: usize) -> [u32; 8] {
        match self {
            Self::One(scale) => [*scale; 8],
            Self::Each(scales) => scales[i],
        }
    }
}

/// What is left of a product.
#[inline(always)]
fn product(x: i32, scale: u32) -> i32 {
    ((i64::from(x) * i64::from(scale)) >> SCALE_BITS) as i32
}

#[optimize(speed)]
#[inline(never)] // into a caller that is optimized for size
fn scalar(x: &mut [Eight], scales: Scales, shift: i32) -> i32 {
    let shift = shift.min(31);
    let mut max = i32::MIN;
    for (i, x) in x.iter_mut().enumerate() {
        for (x, scale) in x.iter_mut().zip(scales.of(i)) {
            *x = product(*x, scale) >> shift;
            max = max.max(*x);
        }
    }
    max
}

/// For scales that are large beside what the results' unit is.
#[cold]
#[inline(never)]
fn to_the_left(x: &mut [Eight], scales: Scales, shift: u32) -> i32 {
    let factor = 1i64 << shift.min(32);
    let mut max = i32::MIN;
    for (i, x) in x.iter_mut().enumerate() {
        for (x, scale) in x.iter_mut().zip(scales.of(i)) {
            *x = crate::fixed::saturate(i64::from(product(*x, scale)) * factor);
            max = max.max(*x);
        }
    }
    max
}

/// By products of 32 bits, in the order that suits QEMU's translator, for the reasons of `matmul/sse41.rs`.
#[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
mod sse41 {
    use super::{Eight, Scales};
    use core::arch::asm;

    /// The halves of x are multiplied apart: `(x >> 16) · scale + (((x & 0xFFFF) · scale) >> 16)`.
    ///
    /// # Safety
    /// There must be as many scales as numbers.
    #[target_feature(enable = "sse4.1")]
    #[inline(never)]
    #[cfg_attr(target_os = "none", unsafe(link_section = ".text.hot"))] // kernel/pc/program.ld
    pub unsafe fn scale(x: &mut [Eight], scales: Scales, shift: i32) -> i32 {
        let one;
        let (scales, step) = match scales {
            Scales::One(scale) => {
                one = [scale; 8];
                (one.as_ptr(), 0)
            }
            Scales::Each(scales) => (scales.as_ptr().cast(), size_of::<Eight>()),
        };
        let mut max = [i32::MIN; 4];
        if x.is_empty() {
            return i32::MIN;
        }
        // SAFETY: the loop reads and writes the 32 bytes of each of `x`, reads the 32 bytes of its scales
        // (the caller's promise, or the same ones each time) and the 16 bytes of `max`. It uses only the
        // registers that it names, and the caller's SSE4.1.
        unsafe {
            asm!(
                "movd xmm4, {shift:e}",
                "movddup xmm5, [{max}]",
                "2:",
                "movlps xmm0, [{x}]",
                "movhps xmm0, [{x} + 8]",
                "movlps xmm1, [{x} + 16]",
                "movhps xmm1, [{x} + 24]",
                "movlps xmm2, [{scales}]",
                "movhps xmm2, [{scales} + 8]",
                "movlps xmm3, [{scales} + 16]",
                "movhps xmm3, [{scales} + 24]",
                "movdqa xmm6, xmm0",
                "movdqa xmm7, xmm1",
                "pslld xmm0, 16",
                "pslld xmm1, 16",
                "psrad xmm6, 16",
                "psrad xmm7, 16",
                "psrld xmm0, 16",
                "psrld xmm1, 16",
                "pmulld xmm6, xmm2",
                "pmulld xmm7, xmm3",
                "pmulld xmm0, xmm2",
                "pmulld xmm1, xmm3",
                "psrld xmm0, 16",
                "psrld xmm1, 16",
                "paddd xmm0, xmm6",
                "paddd xmm1, xmm7",
                "psrad xmm0, xmm4",
                "psrad xmm1, xmm4",
                "add {scales}, {step}",
                "movlps [{x}], xmm0",
                "movhps [{x} + 8], xmm0",
                "movlps [{x} + 16], xmm1",
                "movhps [{x} + 24], xmm1",
                "pmaxsd xmm5, xmm0",
                "pmaxsd xmm5, xmm1",
                "add {x}, 32",
                "dec {count}",
                "jnz 2b",
                "movlps [{max}], xmm5",
                "movhps [{max} + 8], xmm5",
                x = inout(reg) x.as_mut_ptr() => _,
                scales = inout(reg) scales => _,
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
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn all_kernels_give_the_products(
            x: [[Eight; 2]; 2], scales in any::<[[u16; 8]; 4]>(), shift in -40i32..40, small in 0u32..32, one: bool
        ) {
            let x: Vec<Eight> = x.as_flattened().iter().map(|x| x.map(|x| x >> small)).collect();
            let scales = scales.map(|scales| scales.map(u32::from));
            let given = if one { Scales::One(scales[0][0]) } else { Scales::Each(&scales) };
            let exact = |i: usize, j: usize| {
                let scale = if one { scales[0][0] } else { scales[i][j] };
                let product = (i128::from(x[i][j]) * i128::from(scale)) >> 16;
                let moved = if shift < 0 { product << -shift } else { product >> shift };
                moved.clamp(i32::MIN.into(), i32::MAX.into()) as i32
            };
            let exact: [Eight; 4] = core::array::from_fn(|i| core::array::from_fn(|j| exact(i, j)));
            for simd in Simd::all() {
                let mut x = x.clone();
                let max = scale(simd, &mut x, given, shift);
                prop_assert_eq!(&x[..], &exact[..], "{:?}", simd);
                prop_assert_eq!(Some(&max), exact.as_flattened().iter().max(), "{:?}", simd);
            }
        }
    }
}
