//! The lookup tables: 2^-x for the softmax and the logistic function for SiLU, each a few hundred
//! points with straight lines between them. The packer makes them with the host's float; they
//! travel in the packed model.

/// Fraction bits of table entries: 1.0 is 2^30.
pub const TABLE_BITS: u32 = 30;

/// Points of 2^-x in a unit of x, as a power of two. Lines between 2^8 points a unit are within
/// 2^-20 of the curve.
pub const EXP2_POINT_BITS: u32 = 8;
/// Entries of the table of 2^-x: x from 0 to 1, both included.
pub const EXP2_ENTRIES: usize = (1 << EXP2_POINT_BITS) + 1;

/// Points of the logistic function in a unit of x, as a power of two. Lines between 2^5 points a
/// unit are within 2^-16 of the curve.
pub const SIGMOID_POINT_BITS: u32 = 5;
/// The table of the logistic function ends here, where 1 - σ(x) is 2^-23.
pub const SIGMOID_END: u32 = 16;
/// Entries of the table of the logistic function: x from 0 to [`SIGMOID_END`], both included.
pub const SIGMOID_ENTRIES: usize = ((SIGMOID_END as usize) << SIGMOID_POINT_BITS) + 1;

/// Fraction bits of x in both tables.
pub const X_BITS: u32 = 16;

/// The tables.
#[derive(Clone, Copy)]
pub struct Tables<'m> {
    /// `2^(-i/256) · 2^30`, [`EXP2_ENTRIES`] of them, falling.
    pub exp2: &'m [u32],
    /// `1 / (1 + e^(-i/32)) · 2^30`, [`SIGMOID_ENTRIES`] of them, rising.
    pub sigmoid: &'m [u32],
}

/// The value between `points[i]` and `points[i + 1]`; `x` has `bits` fraction bits.
#[inline]
fn interpolate(points: &[u32], x: u32, bits: u32) -> u32 {
    let (i, fraction) = ((x >> bits) as usize, x & ((1 << bits) - 1));
    let (a, b) = (points[i], points[i + 1]);
    // Neighbours differ by less than 2^23: the product needs 64 bits, the result does not.
    let rise = i64::from(b.wrapping_sub(a) as i32) * i64::from(fraction);
    a.wrapping_add_signed((rise >> bits) as i32)
}

impl Tables<'_> {
    /// `2^-x` in Q2.30, x in Q16.16.
    #[inline]
    pub fn exp2_minus(&self, x: u32) -> u32 {
        let whole = x >> X_BITS;
        if whole > TABLE_BITS {
            return 0;
        }
        let fraction = x & ((1 << X_BITS) - 1);
        interpolate(self.exp2, fraction, X_BITS - EXP2_POINT_BITS) >> whole
    }

    /// `σ(x) = 1 / (1 + e^-x)` in Q2.30, for x ≥ 0 in Q16.16.
    #[inline]
    pub fn sigmoid(&self, x: u32) -> u32 {
        if x >= SIGMOID_END << X_BITS {
            return 1 << TABLE_BITS;
        }
        interpolate(self.sigmoid, x, X_BITS - SIGMOID_POINT_BITS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::pack::{exp2_table, sigmoid_table};
    use proptest::prelude::*;

    fn tables() -> Tables<'static> {
        Tables { exp2: exp2_table().leak(), sigmoid: sigmoid_table().leak() }
    }

    fn real(entry: u32) -> f64 {
        f64::from(entry) / f64::from(1 << TABLE_BITS)
    }

    proptest! {
        #[test]
        fn exp2_is_libms_to_2_to_the_minus_20(x in 0u32..40 << X_BITS) {
            let exact = (-f64::from(x) / 65536.0).exp2();
            let got = real(tables().exp2_minus(x));
            // Relative error down to where the result has few bits left.
            prop_assert!((got - exact).abs() < exact * 2f64.powi(-20) + 2f64.powi(-29), "{got} {exact}");
        }

        #[test]
        fn sigmoid_is_libms_to_2_to_the_minus_16(x in 0u32..40 << X_BITS) {
            let exact = 1.0 / (1.0 + (-f64::from(x) / 65536.0).exp());
            let got = real(tables().sigmoid(x));
            prop_assert!((got - exact).abs() < 2f64.powi(-16), "{got} {exact}");
        }
    }

    #[test]
    fn tables_are_monotone_and_their_ends_are_right() {
        let tables = tables();
        let falling: Vec<_> = (0..4 << X_BITS).step_by(37).map(|x| tables.exp2_minus(x)).collect();
        assert!(falling.is_sorted_by(|a, b| a >= b));
        let rising: Vec<_> = (0..20 << X_BITS).step_by(91).map(|x| tables.sigmoid(x)).collect();
        assert!(rising.is_sorted());
        assert_eq!((tables.exp2_minus(0), tables.exp2_minus(1 << X_BITS)), (1 << 30, 1 << 29));
        assert_eq!((tables.exp2_minus(u32::MAX), tables.sigmoid(u32::MAX)), (0, 1 << 30));
        assert_eq!(tables.sigmoid(0), 1 << 29);
    }
}
