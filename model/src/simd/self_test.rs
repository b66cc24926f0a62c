//! Do the SIMD instructions calculate on this very processor what they should? A boot asks before it relies
//! on one.
use super::{CACHED_ZERO, COLUMNS, GroupOfX, Operand, Pair, Simd};
use crate::crc32::CRC32;
use crate::matrix::{Grouped, TILE_ROWS, Tile, WEIGHT_ZERO};

/// Tiles and rows of pairs.
const LENGTH: usize = 6;
/// Bytes of the largest group of 16 columns.
const MOST_BYTES: usize = Grouped::eight_with_offsets(16).bytes();

/// Numbers that look random: Marsaglia's xorshift, "Xorshift RNGs", with one of its full periods.
struct Numbers(u32);

impl Numbers {
    fn next(&mut self) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 17;
        self.0 ^= self.0 << 5;
        self.0
    }

    /// A number of so many bits; every fourth one is the least or the greatest.
    fn bits(&mut self, bits: u32) -> i32 {
        let (number, greatest) = (self.next(), (u32::MAX >> (u32::BITS - bits)) as i32);
        match number >> 29 {
            0 => 0,
            1 => greatest,
            _ => number as i32 & greatest,
        }
    }

    /// Fills `out` with numbers of so many bits, less `zero`.
    #[inline(never)] // once, for all lengths
    fn fill(&mut self, out: &mut [i32], bits: u32, zero: i32) {
        out.fill_with(|| self.bits(bits) - zero);
    }

    /// Bytes.
    #[inline(never)]
    fn fill_bytes(&mut self, out: &mut [u8]) {
        out.fill_with(|| self.bits(8) as u8);
    }

    /// So many numbers of so many bits, less `zero`.
    fn array<const N: usize>(&mut self, bits: u32, zero: i32) -> [i32; N] {
        let mut out = [0; N];
        self.fill(&mut out, bits, zero);
        out
    }
}

/// A CRC of what every operation of [`Simd`] gives, for numbers that reach the limits. The same for all
/// instructions that work.
pub fn fingerprint(simd: Simd) -> u32 {
    let mut numbers = Numbers(0x2026_1123);
    let mut crc = CRC32.digest();
    let mut add = |results: &[i32]| crc.update(bytemuck::cast_slice(results));

    let mut tiles = [Tile::ZERO; LENGTH];
    tiles.iter_mut().for_each(|tile| numbers.fill_bytes(&mut tile.0));
    add(&[simd.load(&tiles) as i32]);

    let mut y = [-WEIGHT_ZERO; TILE_ROWS];
    let mut x = [[Operand::ZERO; 2]; LENGTH];
    x.fill_with(|| simd.four(numbers.array(16, 1 << 15)));
    simd.add_products(&tiles, x.as_flattened(), &mut y);
    add(&y);

    for grouped in [Grouped::four(16), Grouped::eight(16), Grouped::eight_with_offsets(16)] {
        let mut weights = [0; 2 * MOST_BYTES];
        numbers.fill_bytes(&mut weights);
        let mut groups = [GroupOfX::ZERO; 2];
        for group in &mut groups {
            group.start = [numbers.bits(26) - (1 << 25); 4];
            group.half_sum = [numbers.bits(18) - (1 << 17); 4];
        }
        let mut x = [Operand::ZERO; 16];
        simd.operands(grouped.bits, &numbers.array::<32>(15, 1 << 14), &mut x);
        let totals = y.first_chunk_mut().expect("8 of 16");
        simd.add_groups(grouped, &weights[..2 * grouped.bytes()], &x, &groups, totals);
        add(&y);
    }

    let mut scales = [[0; 8]; 2];
    scales.as_flattened_mut().fill_with(|| numbers.bits(16) as u32);
    let max = simd.rescale(y.as_chunks_mut().0, &scales, 3);
    add(&y);
    simd.distances(y.as_chunks_mut().0, max, max as u32 / 2);
    add(&y);
    simd.rescale(y.as_chunks_mut().0, &scales[..1], 1);
    add(&y);

    let mut pairs: [Pair; LENGTH * COLUMNS] = [[0; 2]; LENGTH * COLUMNS];
    pairs.as_flattened_mut().fill_with(|| numbers.bits(12) as u16);
    let mut x = [Operand::ZERO; LENGTH];
    x.fill_with(|| {
        let [x0, x1] = numbers.array(15, 1 << 14);
        simd.two(x0, x1)
    });
    simd.columns(&pairs, COLUMNS, &x, -CACHED_ZERO, y.first_chunk_mut().expect("8 of 16"));
    add(&y);
    crc.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_instructions_have_the_same() {
        for simd in Simd::all() {
            assert_eq!(fingerprint(simd), fingerprint(Simd::Scalar), "{simd:?}");
        }
    }
}
