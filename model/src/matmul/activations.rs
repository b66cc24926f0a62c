//! The input of a matrix: integers of at most 16 bits, as a kernel wants them.
use crate::allocation::Allocator;
use crate::fixed::{Scale, absmax};
use crate::matrix::{TILE_COLS, WEIGHT_ZERO};
use crate::simd::Simd;
use alloc::vec::Vec;

/// The largest magnitude of x: 16 bits with the sign.
const MAX_ACTIVATION: i32 = i16::MAX as i32;
/// The largest magnitude of a weight: -128 cannot come from the packer, but from a damaged file.
const WEIGHT_LIMIT: i64 = 128;

/// The largest magnitude of x for a matrix of `cols` columns: 16 bits, less where the total of so
/// many columns would not fit i32.
pub const fn activation_limit(cols: usize) -> i32 {
    let limit = i32::MAX as i64 / (WEIGHT_LIMIT * cols.next_multiple_of(TILE_COLS) as i64);
    if limit < MAX_ACTIVATION as i64 { limit as i32 } else { MAX_ACTIVATION }
}

const _: () = {
    assert!(activation_limit(8192) == 2047);
    assert!(activation_limit(crate::shape::MAX_LENGTH) >= 63, "7 bits for the longest vector");
};

/// Four inputs, ready for a kernel that handles four rows at once.
#[derive(Clone, Copy)]
#[repr(C, align(16))]
pub(crate) struct Four(pub(super) [i32; 8]);

// SAFETY: all bytes zero are four zeros.
unsafe impl bytemuck::Zeroable for Four {}

impl Four {
    /// Four inputs as `simd` wants them.
    #[inline(always)] // a call for each four would cost more than the work
    fn new(simd: Simd, x: [i32; TILE_COLS]) -> Self {
        match simd {
            #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
            Simd::Sse41(_) => Self::coefficients(x),
            _ => Self::pairs(x),
        }
    }

    /// For 16-bit products: `[x0, x2]` as the halves of a number, four times, then `[x1, x3]`.
    #[inline(always)]
    pub(super) fn pairs([x0, x1, x2, x3]: [i32; TILE_COLS]) -> Self {
        let (even, odd) = (x0 & 0xFFFF | x2 << 16, x1 & 0xFFFF | x3 << 16);
        Self([even, even, even, even, odd, odd, odd, odd])
    }

    /// For 32-bit products with what is left of a row's bytes above each: see `sse41`. Each twice.
    #[inline(always)]
    pub(super) fn coefficients([x0, x1, x2, x3]: [i32; TILE_COLS]) -> Self {
        let [c1, c2, c3] = [x1 - (x0 << 8), x2 - (x1 << 8), x3 - (x2 << 8)];
        Self([x0, x0, c1, c1, c2, c2, c3, c3])
    }

    /// What [`Four::pairs`] was made of.
    #[inline(always)]
    pub(super) fn inputs(&self) -> [i32; TILE_COLS] {
        let [even, odd] = [self.0[0], self.0[4]];
        [(even as i16).into(), (odd as i16).into(), even >> 16, odd >> 16]
    }
}

/// An input vector: few-bit integers times a power of two.
pub struct Activations {
    pub(super) fours: Vec<Four>,
    /// The kernel that `fours` is for.
    pub(super) simd: Simd,
    /// What totals start at: `-128 Σ x`.
    pub(super) start: i32,
    /// 1 means `2^exponent`.
    pub(super) exponent: i32,
}

impl Activations {
    /// Room for vectors of up to `cols` values, for products by `kernel`.
    pub(crate) fn new(allocator: &mut Allocator, cols: usize, simd: Simd) -> Self {
        let fours = allocator.zeroed(cols.div_ceil(TILE_COLS));
        Self { fours, simd, start: 0, exponent: 0 }
    }

    /// Takes over `values · unit`, rounded to at most 16 bits.
    #[optimize(speed)]
    #[inline(never)] // into a caller that is optimized for size
    pub fn quantize(&mut self, values: &[i32], unit: Scale) {
        let (to_few_bits, exponent) = ToFewBits::new(absmax(values), unit, activation_limit(values.len()));
        let (simd, mut sum) = (self.simd, 0);
        let mut four = |x: &[i32; TILE_COLS]| {
            let [x0, x1, x2, x3] = *x;
            let x = [to_few_bits.of(x0), to_few_bits.of(x1), to_few_bits.of(x2), to_few_bits.of(x3)];
            sum += x[0] + x[1] + x[2] + x[3];
            Four::new(simd, x)
        };
        let (fours, rest) = values.as_chunks::<TILE_COLS>();
        let mut last = [[0; TILE_COLS]];
        last[0][..rest.len()].copy_from_slice(rest);
        self.fours.clear();
        for part in [fours, &last[..rest.len().min(1)]] {
            self.fours.extend(part.iter().map(&mut four));
        }
        self.start = sum.wrapping_mul(-WEIGHT_ZERO);
        self.exponent = exponent;
    }
}

/// Turns numbers into integers of few bits, rounded to the nearest:
/// `(((x << normalize) · mantissa) >> 32) / 2^shift`.
#[derive(Clone, Copy)]
struct ToFewBits {
    /// Shift that brings the largest magnitude to 31 bits.
    normalize: u32,
    /// Below 2^31.
    mantissa: i32,
    /// At least 1.
    shift: u32,
}

impl ToFewBits {
    /// For `x · unit` with magnitudes of x up to `max`, and results up to `limit` (at least 63). Also gives
    /// the exponent of two that a result's 1 means: the smallest that does.
    fn new(max: i32, unit: Scale, limit: i32) -> (Self, i32) {
        let largest = Scale::new(max as u64, 0).mul(unit);
        if largest.mantissa == 0 {
            return (Self { normalize: 0, mantissa: 0, shift: 1 }, 0);
        }
        let limit = Scale::new(limit as u64, 0);
        let exponent = largest.exponent - limit.exponent + i32::from(largest.mantissa > limit.mantissa);
        let normalize = max.leading_zeros() - 1;
        // 2^5 and more of the largest are left of its 2^28 and more: below 24.
        let shift = exponent + normalize as i32 - unit.exponent - 32;
        (Self { normalize, mantissa: unit.mantissa as i32, shift: shift as u32 }, exponent)
    }

    /// One number.
    #[inline(always)]
    fn of(self, x: i32) -> i32 {
        let product = i64::from(x << self.normalize) * i64::from(self.mantissa);
        // The lower half cannot change which way the upper one is rounded.
        let upper = (product >> 32) as i32;
        (upper + (1 << (self.shift - 1))) >> self.shift
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn integers_are_the_nearest(
            max in 1i32.., part in 0.0..=1.0f64, limit in 63i32..32768, unit in 1u64.., e in -90i32..90
        ) {
            let x = (f64::from(max) * part) as i32;
            let unit = Scale::new(unit, e);
            let (to_few_bits, exponent) = ToFewBits::new(max, unit, limit);
            let real = f64::from(unit.mantissa) * 2f64.powi(unit.exponent - exponent);
            for x in [x, -x, max, -max] {
                let got = to_few_bits.of(x);
                prop_assert!((f64::from(got) - f64::from(x) * real).abs() <= 0.5 + 1e-3, "{got} {x} {real}");
                prop_assert!(got.abs() <= limit);
            }
            prop_assert!(to_few_bits.of(max) >= limit / 2);
        }
    }

    #[test]
    fn nothing_in_nothing_out() {
        assert_eq!(ToFewBits::new(0, Scale::new(1, 0), 2047).0.of(0), 0);
        assert_eq!(ToFewBits::new(5, Scale::ZERO, 2047).0.of(5), 0);
    }
}
