//! Numbers of a few bits in bytes.
//!
//! ggml writes them all in one way, which suits SIMD: of a run of bytes the lowest bits are the
//! first numbers, one a byte, the bits above those the next numbers, and so on. With `BITS` = 4 and
//! `RUN` = 16, sixteen bytes are 32 numbers: byte j has number j below and number j + 16 above.

/// Takes `N` numbers of `BITS` bits out of runs of `RUN` bytes.
#[inline(always)] // the constants make it a handful of SIMD shifts and masks
pub(super) fn unpack<const BITS: usize, const RUN: usize, const BYTES: usize, const N: usize>(
    bytes: &[u8; BYTES],
) -> [u8; N] {
    const { assert!(BYTES * 8 == N * BITS && BYTES.is_multiple_of(RUN)) };
    let mut numbers = [0; N];
    let runs = bytes.as_chunks::<RUN>().0;
    for (run, numbers) in runs.iter().zip(numbers.chunks_exact_mut(RUN * 8 / BITS)) {
        for (field, numbers) in numbers.as_chunks_mut::<RUN>().0.iter_mut().enumerate() {
            for (number, byte) in numbers.iter_mut().zip(run) {
                *number = (byte >> (field * BITS)) & mask(BITS);
            }
        }
    }
    numbers
}

/// The opposite of [`unpack`]; of each number the lowest `BITS` bits are taken.
pub(super) fn pack<const BITS: usize, const RUN: usize, const BYTES: usize, const N: usize>(
    numbers: &[u8; N],
) -> [u8; BYTES] {
    const { assert!(BYTES * 8 == N * BITS && BYTES.is_multiple_of(RUN)) };
    let mut bytes = [0; BYTES];
    let runs = bytes.as_chunks_mut::<RUN>().0;
    for (run, numbers) in runs.iter_mut().zip(numbers.chunks_exact(RUN * 8 / BITS)) {
        for (field, numbers) in numbers.as_chunks::<RUN>().0.iter().enumerate() {
            for (byte, number) in run.iter_mut().zip(numbers) {
                *byte |= (number & mask(BITS)) << (field * BITS);
            }
        }
    }
    bytes
}

/// The lowest bits of a byte.
const fn mask(bits: usize) -> u8 {
    u8::MAX >> (8 - bits)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_lowest_bits_are_the_first_run() {
        assert_eq!(unpack::<4, 2, 2, 4>(&[0x21, 0x43]), [1, 3, 2, 4]);
        assert_eq!(unpack::<4, 1, 2, 4>(&[0x21, 0x43]), [1, 2, 3, 4]);
        assert_eq!(unpack::<2, 2, 2, 8>(&[0b11_10_01_00, 0b00_01_10_11]), [0, 3, 1, 2, 2, 1, 3, 0]);
        assert_eq!(unpack::<1, 1, 1, 8>(&[0b1000_0011]), [1, 1, 0, 0, 0, 0, 0, 1]);
    }

    proptest! {
        #[test]
        fn pack_is_the_opposite_of_unpack(bytes: [u8; 32], others: [u8; 256]) {
            prop_assert_eq!(pack::<4, 16, 32, 64>(&unpack::<4, 16, 32, 64>(&bytes)), bytes);
            prop_assert_eq!(pack::<4, 32, 32, 64>(&unpack::<4, 32, 32, 64>(&bytes)), bytes);
            prop_assert_eq!(pack::<2, 32, 32, 128>(&unpack::<2, 32, 32, 128>(&bytes)), bytes);
            prop_assert_eq!(pack::<2, 4, 32, 128>(&unpack::<2, 4, 32, 128>(&bytes)), bytes);
            prop_assert_eq!(pack::<1, 1, 32, 256>(&unpack::<1, 1, 32, 256>(&bytes)), bytes);
            let low = others.map(|number| number & 3);
            prop_assert_eq!(unpack::<2, 32, 64, 256>(&pack::<2, 32, 64, 256>(&others)), low);
        }
    }
}
