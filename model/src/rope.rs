//! Rotary position embedding: each pair of a head's values is turned by an angle that grows with
//! the position (Su et al., "RoFormer").
use alloc::vec::Vec;

/// Fraction bits of sines and cosines: 1.0 is 2^30.
pub const ROPE_BITS: u32 = 30;

/// The packer's table: for each position and pair of a head, cosine and sine of
/// `position / 10000^(2 · pair / head_size)`.
pub struct Rope {
    /// `[position][pair][cosine, sine]`.
    pub turns: Vec<[i32; 2]>,
    /// Pairs in a head.
    pub pairs: usize,
}

impl Rope {
    /// Turns every head in `x`, a number of heads one after the other, to position `pos`.
    #[optimize(speed)]
    pub fn rotate(&self, x: &mut [i32], pos: usize) {
        let turns = &self.turns[pos * self.pairs..][..self.pairs];
        for head in x.chunks_exact_mut(2 * self.pairs) {
            for (pair, &[cos, sin]) in head.as_chunks_mut().0.iter_mut().zip(turns) {
                let [a, b] = *pair;
                *pair = [rotated(a, cos, b, -sin), rotated(a, sin, b, cos)];
            }
        }
    }
}

/// `a · p + b · q`, rounded to the nearest.
#[inline]
fn rotated(a: i32, p: i32, b: i32, q: i32) -> i32 {
    let sum = i64::from(a) * i64::from(p) + i64::from(b) * i64::from(q);
    crate::fixed::saturate((sum + (1 << (ROPE_BITS - 1))) >> ROPE_BITS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::pack::rope_table;

    #[test]
    fn pairs_are_turned_as_in_llama2c() {
        let rope = Rope { turns: rope_table(100, 8), pairs: 4 };
        let x: Vec<i32> = (0..16).map(|i| (i - 7) * 100_000).collect();
        for pos in [0, 1, 99] {
            let mut turned = x.clone();
            rope.rotate(&mut turned, pos);
            for (i, pair) in turned.chunks_exact(2).enumerate() {
                let angle = pos as f64 / 10_000f64.powf((2 * i % 8) as f64 / 8.0);
                let (a, b) = (f64::from(x[2 * i]), f64::from(x[2 * i + 1]));
                let exact = [a * angle.cos() - b * angle.sin(), a * angle.sin() + b * angle.cos()];
                assert!((f64::from(pair[0]) - exact[0]).abs() < 0.51, "{pair:?} {exact:?}");
                assert!((f64::from(pair[1]) - exact[1]).abs() < 0.51, "{pair:?} {exact:?}");
            }
        }
    }

    #[test]
    fn the_largest_values_are_limited() {
        let rope = Rope { turns: rope_table(2, 2), pairs: 1 };
        let mut x = [i32::MAX, i32::MAX];
        rope.rotate(&mut x, 1);
        assert_eq!(x[1], i32::MAX);
    }
}
