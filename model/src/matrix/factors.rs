//! The factors of a group in 8 rows, as SIMD takes them apart in 32-bit lanes.
//!
//! Without offsets they are 16 bytes: lane i has d of row i in its lower half and of row 4 + i in the upper one. With
//! offsets they are 24: d and above it o, 12 bits each, are the lower 24 bits of lane i for row i; for row 4 + i the
//! lowest 8 of them are the lane's top byte, and the other 16 follow behind the lanes.
use super::coding::O_BITS;

/// Rows of a group: as many as SIMD has registers for.
pub const GROUP_ROWS: usize = 8;
/// Bytes of factors without offsets.
pub const D_BYTES: usize = 16;
/// Bytes of factors with offsets.
pub const D_O_BYTES: usize = 24;

/// d and o of a group in a row.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Factors {
    /// What a code's unit is: up to 11 bits.
    pub d: u32,
    /// The group's offset; 0 where there is none.
    pub o: i32,
}

/// The factors of a row, from those of 8.
#[inline(always)]
pub fn of_row(bytes: &[u8], row: usize) -> Factors {
    let half = |at: usize| u32::from(u16::from_le_bytes([bytes[at], bytes[at + 1]]));
    let (lane, upper) = (row % 4, row / 4);
    if bytes.len() == D_BYTES {
        return Factors { d: half(4 * lane + 2 * upper), o: 0 };
    }
    let bits = match upper {
        0 => half(4 * lane) | u32::from(bytes[4 * lane + 2]) << 16,
        _ => u32::from(bytes[4 * lane + 3]) | half(D_BYTES + 2 * lane) << 8,
    };
    Factors { d: bits & ((1 << O_BITS) - 1), o: (bits << 8) as i32 >> (32 - O_BITS) }
}

/// The bytes of 8 rows' factors.
#[cfg(feature = "std")]
pub fn pack(factors: &[Factors; GROUP_ROWS], offsets: bool) -> Vec<u8> {
    let (first, second) = factors.split_at(4);
    if !offsets {
        let halves = first.iter().zip(second).flat_map(|(a, b)| [a.d as u16, b.d as u16]);
        return halves.flat_map(u16::to_le_bytes).collect();
    }
    let bits = |factors: &Factors| factors.d | (factors.o as u32) << (32 - O_BITS) >> 8;
    let lanes = first.iter().zip(second).map(|(a, b)| bits(a) | bits(b) << 24);
    let behind = second.iter().map(|b| (bits(b) >> 8) as u16);
    lanes.flat_map(u32::to_le_bytes).chain(behind.flat_map(u16::to_le_bytes)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn factors_come_back(factors: [(u32, i32); GROUP_ROWS]) {
            let unpacked = |bytes: &[u8]| core::array::from_fn(|row| of_row(bytes, row));
            let with_offsets = factors.map(|(d, o)| Factors { d: d & 0xFFF, o: o << 20 >> 20 });
            prop_assert_eq!(unpacked(&pack(&with_offsets, true)), with_offsets);
            let without = factors.map(|(d, _)| Factors { d: d & 0xFFFF, o: 0 });
            prop_assert_eq!(unpacked(&pack(&without, false)), without);
        }
    }
}
