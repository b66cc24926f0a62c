//! Rotary position embedding: each pair of a head's values is turned by an angle that grows with
//! the position (Su et al., "RoFormer").
use crate::fixed::saturate;

/// Fraction bits of sines and cosines: 1.0 is 2^30.
pub const ROPE_BITS: u32 = 30;

/// Cosine and sine of an angle.
pub type CosSin = [i32; 2];

/// The packer's table: for each position and pair of a head, cosine and sine of
/// `position / 10000^(2 · pair / head_size)`.
#[derive(Clone, Copy)]
pub struct Rope<'m> {
    /// `[position][pair]`.
    pub table: &'m [CosSin],
    /// Pairs in a head.
    pub pairs: usize,
}

impl Rope<'_> {
    /// Writes the turns of position `pos` (one for each pair of a head): the table's, or past its end
    /// what follows from it.
    pub fn cos_sin_at(&self, pos: usize, out: &mut [CosSin]) {
        cos_sin_at(self.table, pos, ROPE_BITS, out);
    }
}

/// Turns every head in `x`, a number of heads one after the other.
#[optimize(speed)]
#[inline(never)] // into callers that are optimized for size
pub fn rotate(x: &mut [i32], turns: &[CosSin]) {
    for head in x.chunks_exact_mut(2 * turns.len()) {
        for (pair, &turn) in head.as_chunks_mut().0.iter_mut().zip(turns) {
            *pair = turned(*pair, turn, ROPE_BITS);
        }
    }
}

/// [`Rope::cos_sin_at`] for any table of turns with `bits` fraction bits. With a table of n positions,
/// position k · n + i is turned by n k times, and by i.
pub(crate) fn cos_sin_at(table: &[CosSin], pos: usize, bits: u32, out: &mut [CosSin]) {
    let pairs = out.len();
    let positions = table.len() / pairs;
    let (rounds, within) = (pos / positions, pos % positions);
    out.copy_from_slice(&table[within * pairs..][..pairs]);
    if rounds > 0 {
        turn_rounds(table, rounds, bits, out);
    }
}

/// Turns each of `out` by the whole table, `rounds` times.
#[cold]
#[inline(never)]
fn turn_rounds(table: &[CosSin], rounds: usize, bits: u32, out: &mut [CosSin]) {
    let pairs = out.len();
    let positions = table.len() / pairs;
    for (i, out) in out.iter_mut().enumerate() {
        // All of the table is a turn from 0 to its last position, and one more.
        let one = if positions > 1 { table[pairs + i] } else { table[i] };
        let mut round = turned_once(table[(positions - 1) * pairs + i], one, bits);
        let mut left = rounds;
        while left > 0 {
            if left & 1 == 1 {
                *out = turned_once(*out, round, bits);
            }
            round = turned_once(round, round, bits);
            left >>= 1;
        }
    }
}

/// [`turned`] where it is rare.
#[inline(never)] // three times
fn turned_once(pair: [i32; 2], by: CosSin, bits: u32) -> [i32; 2] {
    turned(pair, by, bits)
}

/// A pair, or another turn, turned.
#[inline(always)] // into the loop over a vector
fn turned([a, b]: [i32; 2], [cos, sin]: CosSin, bits: u32) -> [i32; 2] {
    [two_products([a, b], [cos, -sin], bits), two_products([a, b], [sin, cos], bits)]
}

/// `a · p + b · q`, rounded to the nearest.
#[inline(always)]
fn two_products([a, b]: [i32; 2], [p, q]: [i32; 2], bits: u32) -> i32 {
    let sum = i64::from(a) * i64::from(p) + i64::from(b) * i64::from(q);
    saturate((sum + (1 << (bits - 1))) >> bits)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::pack::rope_table;

    /// `x` turned to `pos`.
    fn rotated(rope: &Rope, x: &[i32], pos: usize) -> Vec<i32> {
        let (mut turns, mut x) = (vec![[0; 2]; rope.pairs], x.to_vec());
        rope.cos_sin_at(pos, &mut turns);
        rotate(&mut x, &turns);
        x
    }

    #[test]
    fn pairs_are_turned_as_in_llama2c() {
        let rope = Rope { table: &rope_table(100, 8), pairs: 4 };
        let x: Vec<i32> = (0..16).map(|i| (i - 7) * 100_000).collect();
        // The last two are past the table.
        for (pos, bound) in [(0, 0.51), (1, 0.51), (99, 0.51), (100, 1.0), (123_456, 3.0)] {
            let turned = rotated(&rope, &x, pos);
            for (i, pair) in turned.chunks_exact(2).enumerate() {
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
        let rope = Rope { table: &rope_table(2, 2), pairs: 1 };
        assert_eq!(rotated(&rope, &[i32::MAX, i32::MAX], 1)[1], i32::MAX);
    }
}
