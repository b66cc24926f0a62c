//! The numbers of the engine: integers, and what 1 of them means.
//!
//! - A **fixed-point number** is an i32 x with f *fraction bits*: it means `x · 2^-f`. f belongs to a
//!   whole vector. The logits have 16 (Q16.16), the residual stream 16 or as many as its model leaves room for,
//!   outputs of the other matrices as many as the packer finds room for, cosines and entries of tables 30.
//! - A **quantized** vector is integers of few bits that share one factor: a row of weights (8 bits times
//!   a scale); a matrix input (16 bits), a query (14) and a layer's keys or values (12), times a power of
//!   two each.
//! - A **scale** is a real number that is not negative: a [`Scale`]. It stands between two kinds of
//!   integers: what 1 means before, over what 1 means after.
//! - To **rescale** is to multiply an integer by a scale and to make it an integer again. There are two
//!   roundings, and each use names its own:
//!
//! | rounding | gives | where | why |
//! | --- | --- | --- | --- |
//! | nearest | `⌊x · s + 1/2⌋` | what gets few bits: matrix inputs, queries, keys, values, softmax's weights; what is rounded once: the embedding, rotations, attention's outputs | half the error, of both signs, so that it cancels in the sums that follow |
//! | down | `⌊x · s⌋` | what keeps many bits: outputs of matrices, scores, products in RMSNorm and SwiGLU, sums of weighted values, points between a table's | a shift and no more, also in SIMD ([`crate::simd::Simd::rescale`]) |
//!
//! [`Scale::nearest`] and [`shift_nearest`] round to the nearest; `>>` and [`shift`] round down. Where a
//! model's numbers may leave 32 bits, they are limited to i32.

/// 1.0 in Q16.16.
pub const ONE: u32 = 1 << 16;

/// Mantissas of a [`Scale`] are below 2^31.
const MANTISSA_BITS: u32 = 31;

/// A real number that is not negative: `mantissa · 2^exponent`, with 2^30 ≤ mantissa < 2^31, or
/// mantissa 0. Relative error of each operation: at most 2^-29.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Scale {
    /// 31 bits, the highest one set, or zero.
    pub mantissa: u32,
    /// Power of two.
    pub exponent: i32,
}

/// log2(e), for e^x = 2^(x · log2(e)).
pub const LOG2_E: Scale =
    Scale::new(1_442_695_040_888_963_407, 0).div(Scale::new(1_000_000_000_000_000_000, 0));

impl Scale {
    /// Zero.
    pub const ZERO: Self = Self { mantissa: 0, exponent: 0 };

    /// `value · 2^exponent`, cut to 31 bits.
    pub const fn new(value: u64, exponent: i32) -> Self {
        if value == 0 {
            return Self::ZERO;
        }
        let excess = u64::BITS as i32 - value.leading_zeros() as i32 - MANTISSA_BITS as i32;
        let mantissa = if excess >= 0 { value >> excess } else { value << -excess };
        Self { mantissa: mantissa as u32, exponent: exponent + excess }
    }

    /// `self · other`.
    pub const fn mul(self, other: Self) -> Self {
        Self::new(self.mantissa as u64 * other.mantissa as u64, self.exponent + other.exponent)
    }

    /// `self / other`; zero if `other` is zero.
    pub const fn div(self, other: Self) -> Self {
        if other.mantissa == 0 {
            return Self::ZERO;
        }
        let dividend = (self.mantissa as u64) << 32;
        Self::new(dividend / other.mantissa as u64, self.exponent - other.exponent - 32)
    }

    /// `self + other`.
    pub const fn add(self, other: Self) -> Self {
        let (large, small) = if self.exponent >= other.exponent { (self, other) } else { (other, self) };
        if large.mantissa == 0 || small.mantissa == 0 {
            return if large.mantissa == 0 { small } else { large };
        }
        let distance = large.exponent - small.exponent;
        let small_mantissa = if distance < 32 { (small.mantissa as u64) << 32 >> distance } else { 0 };
        Self::new(((large.mantissa as u64) << 32) + small_mantissa, large.exponent - 32)
    }

    /// `x · self`, rounded to the nearest, limited to i32.
    #[optimize(speed)]
    #[inline(never)] // into callers that are optimized for size
    pub fn nearest(self, x: i32) -> i32 {
        let product = i64::from(x) * i64::from(self.mantissa as i32);
        saturate(match -self.exponent {
            63.. => 0,
            shift @ 1.. => (product + (1 << (shift - 1))) >> shift,
            shift => product << (-shift).min(1), // twice a mantissa is too large already
        })
    }

    /// [`Scale::nearest`] for exponents from -62 to -33: of the product only the upper half is left, and the
    /// lower one cannot change which way that is rounded. Nothing here is 64 bits wide, which is slow on
    /// a 32-bit processor.
    #[inline(always)]
    pub const fn nearest_of_upper_half(self, x: i32) -> i32 {
        let upper = ((x as i64 * self.mantissa as i32 as i64) >> 32) as i32;
        let shift = -self.exponent - 32;
        (upper + (1 << (shift - 1))) >> shift
    }

    /// Mantissa below 2^16 and shift for [`crate::simd::Simd::rescale`]: `x · self` is
    /// `⌊x · mantissa / 2^(16 + shift)⌋`.
    pub const fn in_16_bits(self) -> (u32, i32) {
        (self.mantissa >> (MANTISSA_BITS - 16), -(self.exponent + MANTISSA_BITS as i32))
    }

    /// `1 / sqrt(self)`; zero for zero.
    pub fn rsqrt(self) -> Self {
        if self.mantissa == 0 {
            return Self::ZERO;
        }
        // An even exponent halves exactly: mantissa · 2^32 or 2^33 is in [2^62, 2^64).
        let odd = self.exponent & 1;
        let root = isqrt((self.mantissa as u64) << (32 + odd));
        let root_exponent = (self.exponent - 32 - odd) / 2;
        Self::new((1 << 62) / root as u64, -62 - root_exponent)
    }
}

/// The integer square root, rounded down, a bit a step (no division: a 486 takes 40 cycles for one).
pub fn isqrt(value: u64) -> u32 {
    let (mut root, mut rest) = (0u64, value);
    let mut bit = 1u64 << 62;
    while bit != 0 {
        if rest >= root + bit {
            rest -= root + bit;
            root = (root >> 1) + bit;
        } else {
            root >>= 1;
        }
        bit >>= 2;
    }
    root as u32
}

/// `x / 2^shift`, rounded to the nearest, for a shift of 1 or more.
#[inline(always)]
pub const fn shift_nearest(x: i32, shift: u32) -> i32 {
    ((x >> (shift - 1)) + 1) >> 1
}

/// The nearest i32.
#[inline]
pub fn saturate(x: i64) -> i32 {
    let low = x as i32;
    if i64::from(low) == x {
        low
    } else if x < 0 {
        i32::MIN
    } else {
        i32::MAX
    }
}

/// `x · 2^shift`: left for a positive shift, right and rounded down for a negative one. Limited.
pub fn shift(x: u32, shift: i32) -> u32 {
    match shift {
        _ if x == 0 => 0,
        ..=-32 => 0,
        -31..=0 => x >> -shift,
        _ if shift as u32 <= x.leading_zeros() => x << shift,
        _ => u32::MAX,
    }
}

/// The largest magnitude in `values`, 0 if there are none. `i32::MIN` counts as 2^31 - 1.
#[optimize(speed)]
#[inline(never)] // into a caller that is optimized for size
#[cfg_attr(target_os = "none", unsafe(link_section = ".text.hot"))] // kernel/pc/program.ld
pub fn absmax(values: &[i32]) -> i32 {
    // Without jumps: a 486 has no conditional moves, and in an emulator jumps are dear.
    values.iter().fold(0, |max, &x| {
        let sign = x >> 31;
        let magnitude = (x ^ sign).wrapping_sub(sign); // i32::MIN is left
        let magnitude = magnitude.wrapping_add(magnitude >> 31);
        let less = max - magnitude;
        max - (less & (less >> 31))
    })
}

/// Bits of the largest magnitude in `values`: all are below `2^bits`.
#[inline(never)] // called from many places
pub fn magnitude_bits(values: &[i32]) -> u32 {
    u32::BITS - absmax(values).leading_zeros()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn real(scale: Scale) -> f64 {
        f64::from(scale.mantissa) * 2f64.powi(scale.exponent)
    }

    proptest! {
        #[test]
        fn scales_calculate_to_2_to_the_minus_28(a in 1u64.., b in 1u64.., e in -60i32..60) {
            let (x, y) = (Scale::new(a, e), Scale::new(b, -e));
            let near = |got: Scale, want: f64| (real(got) / want - 1.0).abs() < 2f64.powi(-28);
            prop_assert!(near(x, a as f64 * 2f64.powi(e)));
            prop_assert!(near(x.mul(y), real(x) * real(y)));
            prop_assert!(near(x.div(y), real(x) / real(y)));
            prop_assert!(near(x.add(y), real(x) + real(y)));
            prop_assert!(near(x.rsqrt(), 1.0 / real(x).sqrt()));
            for scale in [x, x.mul(y), x.div(y), x.add(y), x.rsqrt()] {
                prop_assert!(scale.mantissa >> 30 == 1);
            }
        }

        #[test]
        fn square_root_is_rounded_down(value: u64) {
            let root = u128::from(isqrt(value));
            prop_assert!(root * root <= value.into() && (root + 1) * (root + 1) > value.into());
        }

        #[test]
        fn nearest_is_nearest_and_limited(x: i32, mantissa in 1u32 << 30..1 << 31, shift in -40i32..80) {
            let scale = Scale { mantissa, exponent: -shift };
            let product = i128::from(x) * i128::from(mantissa);
            let exact = match shift {
                1.. => (product + (1 << (shift - 1))) >> shift,
                _ => product << -shift,
            };
            let exact = exact.clamp(i32::MIN.into(), i32::MAX.into());
            prop_assert_eq!(i128::from(scale.nearest(x)), exact);
            if let 33..=62 = shift {
                prop_assert_eq!(scale.nearest_of_upper_half(x), scale.nearest(x));
            }
            if let shift @ 1..32 = shift {
                prop_assert_eq!(shift_nearest(x, shift as u32), Scale::new(1, -shift).nearest(x));
            }
        }
    }

    #[test]
    fn nothing_in_nothing_out() {
        assert_eq!(Scale::new(1, 0).div(Scale::ZERO), Scale::ZERO);
        assert_eq!(Scale::ZERO.rsqrt(), Scale::ZERO);
        assert_eq!(absmax(&[]), 0);
        assert_eq!(absmax(&[3, i32::MIN, -4]), i32::MAX);
    }

    #[test]
    fn shifts_go_both_ways() {
        assert_eq!((shift(5, 2), shift(5, -1), shift(5, -40)), (20, 2, 0));
        assert_eq!((shift(0, 40), shift(1 << 31, 1), shift(3, 30)), (0, u32::MAX, 3 << 30));
        assert_eq!((shift(0, 32), shift(1, 32), shift(1, -32)), (0, u32::MAX, 0));
    }
}
