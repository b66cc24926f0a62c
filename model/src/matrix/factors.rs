//! The factors of a group in 16 rows, as SIMD takes them apart: lane i of vector v is row 4v + i's.
//!
//! Without offsets they are two vectors, each of which holds rows 8v + i in its lanes' lower halves and rows
//! 8v + 4 + i in the upper ones. With offsets they are three: a lane's lower 24 bits are d and above it o, 12 bits
//! each, and the top bytes of the three together are the same for row 12 + i.
use super::TILE_ROWS;
use super::coding::O_BITS;
use bytemuck::{Pod, Zeroable};

/// Four 32-bit lanes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Pod, Zeroable)]
#[repr(C, align(16))]
pub struct Vector(pub [u32; 4]);

/// d and o of a group in a row.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Factors {
    /// What a code's unit is: up to 11 bits.
    pub d: u32,
    /// The group's offset; 0 where there is none.
    pub o: i32,
}

/// Bits of d and o together.
const ROW_BITS: u32 = 24;

/// The factors of 16 rows, from two or three vectors.
#[inline(always)]
pub fn unpack(vectors: &[Vector]) -> [Factors; TILE_ROWS] {
    core::array::from_fn(|row| row_of(vectors, row))
}

/// The factors of a row.
#[inline(always)]
pub fn row_of(vectors: &[Vector], row: usize) -> Factors {
    let lane = row % 4;
    if let &[a, b] = vectors {
        let half = [a, b][row / 8].0[lane] >> (row / 4 % 2 * 16);
        return Factors { d: half & 0xFFFF, o: 0 };
    }
    let bits = match vectors.get(row / 4) {
        Some(vector) => vector.0[lane],
        None => vectors.iter().rev().fold(0, |bits, vector| bits << 8 | vector.0[lane] >> ROW_BITS),
    };
    Factors { d: bits & ((1 << O_BITS) - 1), o: (bits << 8) as i32 >> (32 - O_BITS) }
}

/// The vectors of 16 rows' factors, three of them, or two without offsets.
#[cfg(feature = "std")]
pub fn pack(factors: &[Factors; TILE_ROWS], offsets: bool) -> Vec<Vector> {
    let lanes = |lane: &dyn Fn(usize) -> u32| Vector(core::array::from_fn(lane));
    if !offsets {
        let pair = |v: usize| lanes(&|i| factors[8 * v + i].d | factors[8 * v + 4 + i].d << 16);
        return vec![pair(0), pair(1)];
    }
    let bits = |row: usize| {
        let Factors { d, o } = factors[row];
        d | (o as u32) << (32 - O_BITS) >> 8
    };
    let byte = |row: usize, v: usize| bits(row) >> (8 * v) & 0xFF;
    (0..3).map(|v| lanes(&|i| bits(4 * v + i) | byte(12 + i, v) << ROW_BITS)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn factors_come_back(factors: [(u32, i32); TILE_ROWS]) {
            let with_offsets = factors.map(|(d, o)| Factors { d: d & 0xFFF, o: o << 20 >> 20 });
            prop_assert_eq!(unpack(&pack(&with_offsets, true)), with_offsets);
            let without = factors.map(|(d, _)| Factors { d: d & 0xFFFF, o: 0 });
            prop_assert_eq!(unpack(&pack(&without, false)), without);
        }
    }
}
