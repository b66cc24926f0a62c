//! The inside of the feed-forward layer: SwiGLU, `h = silu(gate) · up` with `silu(x) = x · σ(x)`.
use crate::fixed::{absmax, shift};
use crate::tables::{TABLE_BITS, Tables, X_BITS};

/// `gate[i] = silu(gate[i]) · up[i]`, for gate and up with `fraction_bits`. Returns the fraction
/// bits of the result, chosen so that the products fit and keep all the bits they can.
pub fn swiglu(tables: &Tables, gate: &mut [i32], up: &[i32], fraction_bits: i32) -> i32 {
    let bits = |max: i32| (u32::BITS - max.leading_zeros()) as i32;
    // |silu(x)| ≤ |x|, so the product of the largest magnitudes bounds all products.
    let excess = (bits(absmax(gate)) + bits(absmax(up)) - 31).max(0);
    for (gate, &up) in gate.iter_mut().zip(up) {
        *gate = ((i64::from(silu(tables, *gate, fraction_bits)) * i64::from(up)) >> excess) as i32;
    }
    2 * fraction_bits - excess
}

/// `x · σ(x)`, with the fraction bits of x.
#[inline]
fn silu(tables: &Tables, x: i32, fraction_bits: i32) -> i32 {
    let positive = tables.sigmoid(shift(x.unsigned_abs(), X_BITS as i32 - fraction_bits));
    // σ(-x) = 1 - σ(x)
    let sigmoid = if x < 0 { (1 << TABLE_BITS) - positive } else { positive };
    ((i64::from(x) * i64::from(sigmoid)) >> TABLE_BITS) as i32
}
