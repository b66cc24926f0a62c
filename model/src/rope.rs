//! Rotary position embedding: each pair of a head's values is rotated by an angle that grows with
//! the position (Su et al., "RoFormer").
use crate::fixed::saturate;

/// Fraction bits of the int8 engine's cosines and sines: 1.0 is 2^30.
pub const ROPE_BITS: u32 = 30;

/// Cosine and sine of an angle.
pub type CosSin = [i32; 2];

/// A table of angles: for each position and pair of a head, cosine and sine of `position · frequency`, with so
/// many fraction bits. The packer knows the frequencies (`host::checkpoint::Config`).
#[derive(Clone, Copy)]
pub struct Rope<'m, const BITS: u32 = ROPE_BITS> {
    /// (seq_len, pairs)
    pub table: &'m [CosSin],
    /// Pairs in a head: half its size.
    pub pairs: usize,
}

impl<const BITS: u32> Rope<'_, BITS> {
    /// The angles of position `pos`, one for each pair of a head, go into `out` (pairs,). With a table of n
    /// positions, position k · n + i is rotated by n k times, and by i.
    pub fn cos_sin_at(&self, pos: usize, out: &mut [CosSin]) {
        let positions = self.table.len() / self.pairs;
        out.copy_from_slice(&self.table[pos % positions * self.pairs..][..self.pairs]);
        if pos >= positions {
            self.rotate_by_rounds(pos / positions, out);
        }
    }

    /// Rotates each of `out` by the whole table, `rounds` times.
    #[cold]
    #[inline(never)]
    fn rotate_by_rounds(&self, rounds: usize, out: &mut [CosSin]) {
        for (i, out) in out.iter_mut().enumerate() {
            // The whole table is from 0 to its last position, and one more.
            let last = self.table[self.table.len() - self.pairs + i];
            let one = self.table.get(self.pairs + i).unwrap_or(&self.table[i]);
            let mut round = rotated_once::<BITS>(last, *one);
            let mut left = rounds;
            while left > 0 {
                if left & 1 == 1 {
                    *out = rotated_once::<BITS>(*out, round);
                }
                round = rotated_once::<BITS>(round, round);
                left >>= 1;
            }
        }
    }
}

/// Rotates every head in `x`, a number of heads one after the other: each pair (a, b) becomes
/// `(a cos - b sin, a sin + b cos)`, rounded to the nearest.
#[optimize(speed)]
#[inline(never)] // into callers that are optimized for size
pub fn rotate(x: &mut [i32], cos_sin: &[CosSin]) {
    for head in x.chunks_exact_mut(2 * cos_sin.len()) {
        for (pair, &by) in head.as_chunks_mut().0.iter_mut().zip(cos_sin) {
            *pair = rotated::<ROPE_BITS>(*pair, by);
        }
    }
}

/// [`rotated`] where it is rare.
#[inline(never)] // three times
fn rotated_once<const BITS: u32>(pair: [i32; 2], by: CosSin) -> [i32; 2] {
    rotated::<BITS>(pair, by)
}

/// A pair, or another angle, rotated.
#[inline(always)] // into the loop over a vector
fn rotated<const BITS: u32>([a, b]: [i32; 2], [cos, sin]: CosSin) -> [i32; 2] {
    let nearest = |a_by: i32, b_by: i32| {
        let sum = i64::from(a) * i64::from(a_by) + i64::from(b) * i64::from(b_by);
        saturate((sum + (1 << (BITS - 1))) >> BITS)
    };
    [nearest(cos, -sin), nearest(sin, cos)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::checkpoint::rope_frequencies;
    use crate::host::pack::rope_table;

    /// `x` rotated to `pos`.
    fn at_position(rope: &Rope, x: &[i32], pos: usize) -> Vec<i32> {
        let (mut cos_sin, mut x) = (vec![[0; 2]; rope.pairs], x.to_vec());
        rope.cos_sin_at(pos, &mut cos_sin);
        rotate(&mut x, &cos_sin);
        x
    }

    #[test]
    fn pairs_are_rotated_as_in_llama2c() {
        let rope = Rope { table: &rope_table(100, &rope_frequencies(10_000.0, 8)), pairs: 4 };
        let x: Vec<i32> = (0..16).map(|i| (i - 7) * 100_000).collect();
        // The last two are past the table.
        for (pos, bound) in [(0, 0.51), (1, 0.51), (99, 0.51), (100, 1.0), (123_456, 3.0)] {
            let rotated = at_position(&rope, &x, pos);
            for (i, pair) in rotated.chunks_exact(2).enumerate() {
                let angle = pos as f64 / 10_000f64.powf((2 * i % 8) as f64 / 8.0);
                let (a, b) = (f64::from(x[2 * i]), f64::from(x[2 * i + 1]));
                let exact = [a * angle.cos() - b * angle.sin(), a * angle.sin() + b * angle.cos()];
                assert!((f64::from(pair[0]) - exact[0]).abs() < bound, "{pos}: {pair:?} {exact:?}");
                assert!((f64::from(pair[1]) - exact[1]).abs() < bound, "{pos}: {pair:?} {exact:?}");
            }
        }
    }

    #[test]
    fn the_largest_values_are_limited() {
        let rope = Rope { table: &rope_table(2, &rope_frequencies(10_000.0, 2)), pairs: 1 };
        assert_eq!(at_position(&rope, &[i32::MAX, i32::MAX], 1)[1], i32::MAX);
    }
}
