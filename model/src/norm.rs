//! RMSNorm, fused with the quantization that each matrix input needs.
//!
//! `o = x · weight / sqrt(mean(x²) + ε)`. The root is one number for the whole vector, so it goes
//! into the vector's scale and costs no accuracy in the values.
use crate::fixed::{Scale, magnitude_bits};
use crate::matmul::Activations;
use crate::matrix::Coding;

/// What RMSNorm needs to know beside its weight.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RmsNorm {
    /// Fraction bits of the residual stream.
    pub residual_bits: i32,
    /// ε.
    pub epsilon: Scale,
}

/// Bits of a value before it is squared: 2^18 squares of 23 bits fit u64.
const SQUARE_BITS: u32 = 23;
const _: () = assert!(crate::shape::MAX_LENGTH.ilog2() + 2 * SQUARE_BITS <= 64);

/// The weight of an RMSNorm (dim,) (`rms_att`, `rms_ffn` or `rms_final` in llama2.c).
#[derive(Clone, Copy)]
pub struct NormWeight<'m> {
    /// Magnitudes up to 2^30.
    pub values: &'m [i32],
    /// What 1 means: `2^exponent`.
    pub exponent: i32,
}

/// The most fraction bits of the residual stream, and the fewest: what is left holds magnitudes from 2^7 to 2^27.
const RESIDUAL_BITS: core::ops::RangeInclusive<i32> = 4..=24;

impl RmsNorm {
    /// Whether the arithmetic holds: a normalized ε that is not far from the squares of what can be.
    pub fn is_valid(self) -> bool {
        let Scale { mantissa, exponent } = self.epsilon;
        RESIDUAL_BITS.contains(&self.residual_bits) && mantissa >> 30 == 1 && (-100..=-30).contains(&exponent)
    }

    /// The norm of the residual `x` (dim,), as the input of a matrix of this coding in `out`. `scratch` is as long
    /// as x.
    #[optimize(speed)]
    #[inline(never)] // into a caller that is optimized for size
    pub fn apply(
        self,
        x: &[i32],
        weight: &NormWeight,
        scratch: &mut [i32],
        out: &mut Activations,
        coding: Coding,
    ) {
        let bits = magnitude_bits(x);
        // As many bits as possible before the product with the weight: |x| · 2^up < 2^31.
        let up = (31 - bits).min(30);
        for ((p, &x), &w) in scratch.iter_mut().zip(x).zip(weight.values) {
            let x = x.max(-i32::MAX) << up;
            *p = ((i64::from(x) * i64::from(w)) >> 32) as i32;
        }
        // x · weight = p · 2^(32 - up + weight.exponent) in units of the residual
        let unit = Scale::new(1, 32 - up as i32 + weight.exponent - self.residual_bits);
        out.quantize(scratch, unit.mul(self.inverse_rms(x, bits)), coding);
    }

    /// `1 / sqrt(mean(x²) + ε)` for magnitudes below 2^bits.
    #[optimize(speed)]
    fn inverse_rms(self, x: &[i32], bits: u32) -> Scale {
        let down = bits.saturating_sub(SQUARE_BITS);
        let square = |x: i32| {
            let magnitude = u64::from((x >> down).unsigned_abs());
            magnitude * magnitude
        };
        let sum: u64 = x.iter().map(|&x| square(x)).sum();
        let mean = Scale::new(sum, 2 * (down as i32 - self.residual_bits)).div(Scale::new(x.len() as u64, 0));
        mean.add(self.epsilon).rsqrt()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::quantize::scale_of;
    use proptest::prelude::*;

    /// llama2.c's.
    fn norm() -> RmsNorm {
        RmsNorm { residual_bits: 16, epsilon: scale_of(1e-5) }
    }

    #[test]
    fn llama2cs_epsilon_is_the_quotient() {
        assert_eq!(norm().epsilon, Scale::new(10_000, 0).div(Scale::new(1_000_000_000, 0)));
        assert!(norm().is_valid());
    }

    proptest! {
        #[test]
        fn inverse_rms_is_exact_to_2_to_the_minus_20(
            x in prop::collection::vec(-1.0f64..1.0, 1..300), magnitude in 0i32..31
        ) {
            let x: Vec<i32> = x.iter().map(|x| (x * 2f64.powi(magnitude)) as i32).collect();
            let mean = x.iter().map(|&x| (f64::from(x) / 65536.0).powi(2)).sum::<f64>() / x.len() as f64;
            let exact = 1.0 / (mean + 1e-5).sqrt();
            let got = norm().inverse_rms(&x, magnitude_bits(&x));
            let got = f64::from(got.mantissa) * 2f64.powi(got.exponent);
            prop_assert!((got / exact - 1.0).abs() < 2f64.powi(-20), "{got} {exact}");
        }
    }

    #[test]
    fn a_vector_of_the_largest_values_does_not_overflow() {
        let x = [i32::MIN; 4096];
        let got = norm().inverse_rms(&x, 31);
        let got = f64::from(got.mantissa) * 2f64.powi(got.exponent);
        assert!((got * 32768.0 - 1.0).abs() < 1e-6);
    }
}
