//! The inside of the feed-forward layer: SwiGLU, `h = silu(gate) · up` with `silu(x) = x · σ(x)`.
use crate::fixed::{magnitude_bits, shift};
use crate::tables::{TABLE_BITS, Tables, X_BITS};

/// `gate[i] = silu(gate[i]) · up[i]`, for gate and up with `fraction_bits`. Returns the fraction
/// bits of the result, chosen so that the products fit and keep all the bits they can.
#[optimize(speed)]
#[inline(never)] // into a caller that is optimized for size
pub fn swiglu(tables: &Tables, gate: &mut [i32], up: &[i32], fraction_bits: i32) -> i32 {
    // |silu(x)| ≤ |x|, so the product of the largest magnitudes bounds all products.
    let excess = (magnitude_bits(gate) + magnitude_bits(up)).saturating_sub(31);
    for (gate, &up) in gate.iter_mut().zip(up) {
        *gate = ((i64::from(silu(tables, *gate, fraction_bits)) * i64::from(up)) >> excess) as i32;
    }
    2 * fraction_bits - excess as i32
}

/// `x · σ(x)`, with the fraction bits of x.
#[inline]
fn silu(tables: &Tables, x: i32, fraction_bits: i32) -> i32 {
    let positive = tables.sigmoid(shift(x.unsigned_abs(), X_BITS as i32 - fraction_bits));
    // σ(-x) = 1 - σ(x)
    let sigmoid = if x < 0 { (1 << TABLE_BITS) - positive } else { positive };
    ((i64::from(x) * i64::from(sigmoid)) >> TABLE_BITS) as i32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::pack::{exp2_table, sigmoid_table};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn swiglu_is_near_the_real_one(
            gate in prop::collection::vec(-20.0f64..20.0, 1..50), up in -1000.0f64..1000.0, bits in 8i32..20
        ) {
            let tables = Tables { exp2: &exp2_table(), sigmoid: &sigmoid_table() };
            let unit = 2f64.powi(-bits);
            let fixed = |x: f64| (x / unit) as i32;
            let mut h: Vec<i32> = gate.iter().map(|&x| fixed(x)).collect();
            let up = vec![fixed(up); h.len()];
            let gate = h.clone();
            let result_bits = swiglu(&tables, &mut h, &up, bits);
            for ((&gate, &up), &h) in gate.iter().zip(&up).zip(&h) {
                let (gate, up) = (f64::from(gate) * unit, f64::from(up) * unit);
                let exact = gate / (1.0 + (-gate).exp()) * up;
                let got = f64::from(h) * 2f64.powi(-result_bits);
                let bound = up.abs() * (gate.abs() * 2f64.powi(-15) + unit) + 2f64.powi(-result_bits);
                prop_assert!((got - exact).abs() <= bound, "{got} {exact}");
            }
        }
    }
}
