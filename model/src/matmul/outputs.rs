//! From the totals of rows to the outputs of a matrix.
use super::Kernel;
use crate::fixed::saturate;
use crate::matrix::{SCALE_BITS, TILE_ROWS};

/// The numbers of a block's rows.
type Rows = [i32; TILE_ROWS];

/// `((total · scale) >> 16) >> shift` for each row, rounded down; the shift may go to the left, and then
/// the result is limited. Scales are below 2^16, so that what is left of a product fits i32.
#[inline(always)]
pub fn outputs(kernel: Kernel, totals: Rows, scales: &[u32; TILE_ROWS], shift: i32) -> Rows {
    match kernel {
        _ if shift < 0 => to_the_left(totals, scales, -shift as u32),
        #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
        // SAFETY: an `Sse41` exists only where its creator promised that SSE4.1 works.
        Kernel::Sse41(_) => unsafe { sse41::outputs(totals, scales, shift) },
        _ => scalar(totals, scales, shift),
    }
}

/// What is left of a product.
#[inline(always)]
fn product(total: i32, scale: u32) -> i32 {
    ((i64::from(total) * i64::from(scale)) >> SCALE_BITS) as i32
}

#[optimize(speed)]
fn scalar(mut totals: Rows, scales: &[u32; TILE_ROWS], shift: i32) -> Rows {
    let shift = shift.min(31);
    for (total, &scale) in totals.iter_mut().zip(scales) {
        *total = product(*total, scale) >> shift;
    }
    totals
}

/// For weights so large that their outputs have few fraction bits.
#[cold]
#[inline(never)]
fn to_the_left(mut totals: Rows, scales: &[u32; TILE_ROWS], shift: u32) -> Rows {
    let factor = 1i64 << shift.min(32);
    for (total, &scale) in totals.iter_mut().zip(scales) {
        *total = saturate(i64::from(product(*total, scale)) * factor);
    }
    totals
}

/// Four at a time, with products of 32 bits: QEMU's translator has no others in line.
#[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
mod sse41 {
    use super::{Rows, SCALE_BITS, TILE_ROWS};
    #[cfg(target_arch = "x86")]
    use core::arch::x86::*;
    #[cfg(target_arch = "x86_64")]
    use core::arch::x86_64::*;

    #[target_feature(enable = "sse4.1")]
    #[inline(never)]
    #[cfg_attr(target_os = "none", unsafe(link_section = ".text.hot"))] // kernel/link.ld
    #[optimize(speed)]
    pub fn outputs(mut totals: Rows, scales: &[u32; TILE_ROWS], shift: i32) -> Rows {
        const HALF: i32 = SCALE_BITS as i32;
        let (shift, lower_half) = (_mm_cvtsi32_si128(shift), _mm_set1_epi32((1 << HALF) - 1));
        for (totals, scales) in totals.as_chunks_mut::<4>().0.iter_mut().zip(scales.as_chunks::<4>().0) {
            // SAFETY: 16 bytes each.
            let (total, scale) =
                unsafe { (_mm_loadu_si128(totals.as_ptr().cast()), _mm_loadu_si128(scales.as_ptr().cast())) };
            let upper = _mm_mullo_epi32(_mm_srai_epi32::<HALF>(total), scale);
            let lower = _mm_mullo_epi32(_mm_and_si128(total, lower_half), scale);
            let product = _mm_add_epi32(upper, _mm_srli_epi32::<HALF>(lower));
            // SAFETY: 16 bytes.
            unsafe { _mm_storeu_si128(totals.as_mut_ptr().cast(), _mm_sra_epi32(product, shift)) };
        }
        totals
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn outputs_are_the_products_of_all_kernels(
            totals: Rows, scales: [u16; TILE_ROWS], shift in -40i32..40, small in 0u32..32
        ) {
            let (totals, scales) = (totals.map(|total| total >> small), scales.map(u32::from));
            let exact = core::array::from_fn(|i| {
                let product = (i128::from(totals[i]) * i128::from(scales[i])) >> 16;
                let moved = if shift < 0 { product << -shift } else { product >> shift };
                moved.clamp(i32::MIN.into(), i32::MAX.into()) as i32
            });
            for kernel in Kernel::all() {
                prop_assert_eq!(outputs(kernel, totals, &scales, shift), exact, "{:?}", kernel);
            }
        }
    }
}
