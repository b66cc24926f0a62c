use super::*;
use crate::matrix::factors::{Factors, pack};
use crate::matrix::{Grouped, TILE_BYTES};
use proptest::prelude::*;

proptest! {
    #[test]
    fn products_are_exact(
        bytes in prop::collection::vec(any::<u8>(), 8 * TILE_BYTES), eights in 1usize..=4,
        x in prop::collection::vec(any::<[i16; 8]>(), 8), start in any::<[i16; TILE_ROWS]>(), four: bool,
    ) {
        let bits = if four { Bits::Four } else { Bits::Eight };
        let tiles = if four { eights } else { 2 * eights };
        let tiles: Vec<Tile> = bytes.as_chunks().0[..tiles].iter().map(|&bytes| Tile(bytes)).collect();
        let x: Vec<_> = x[..eights].iter().map(|x| x.map(i32::from)).collect();
        let code = |tile: &Tile, row: usize, column: usize| -> i32 {
            if four {
                (tile.rows()[row][column / 2] >> (4 * (column % 2)) & 0xF).into()
            } else {
                tile.rows()[row][column].into()
            }
        };
        let columns = if four { 8 } else { 4 };
        let products = |row: usize| {
            let x = x.as_flattened().iter().enumerate();
            i32::from(start[row]) + x.map(|(c, x)| code(&tiles[c / columns], row, c % columns) * x).sum::<i32>()
        };
        let exact: [i32; TILE_ROWS] = core::array::from_fn(products);
        for simd in Simd::all() {
            let x: Vec<_> = x.iter().flat_map(|x| simd.eight(bits, x)).collect();
            let mut totals = start.map(i32::from);
            simd.add_products(bits, &tiles, &x, &mut totals);
            prop_assert_eq!(totals, exact, "{:?}", simd);
        }
    }

    #[test]
    fn groups_are_exact(
        sums: [i32; TILE_ROWS], small in 4u32..12, rows: [(u32, i32); TILE_ROWS],
        half_sum in -(1i32 << 18)..1 << 18, offsets: bool, y: [i16; TILE_ROWS],
    ) {
        let grouped = if offsets { Grouped::four(32) } else { Grouped::eight(32) };
        let sums = sums.map(|sum| sum >> small);
        let rows = rows.map(|(d, o)| {
            Factors { d: d % (grouped.d_max() + 1), o: if offsets { o >> 20 } else { 0 } }
        });
        let exact: [i32; TILE_ROWS] = core::array::from_fn(|r| {
            let product = i64::from(sums[r] >> grouped.shift()) * i64::from(rows[r].d);
            // As 32 bits have it.
            let sum = (product + i64::from(rows[r].o) * i64::from(half_sum)) as i32;
            i32::from(y[r]) + (sum >> PRODUCT_SHIFT)
        });
        let factors = pack(&rows, offsets);
        for simd in Simd::all() {
            let mut y = y.map(i32::from);
            simd.add_group(&sums, &factors, half_sum, &mut y);
            prop_assert_eq!(y, exact, "{:?}", simd);
        }
    }

    #[test]
    fn columns_are_exact(
        pairs in prop::collection::vec([0..=4096u16, 0..=4096u16], 160),
        rows in 1usize..16, stride in 8usize..=9,
        x in prop::collection::vec([-16384i32..=16384, -16384i32..=16384], 16), start in -(1i32 << 29)..1 << 29,
    ) {
        let column = |c: usize| {
            let row = |r: usize| {
                let pair = pairs[3 + r * stride + c].map(i32::from);
                pair[0] * x[r][0] + pair[1] * x[r][1]
            };
            start + (0..rows).map(row).sum::<i32>()
        };
        let exact: [i32; COLUMNS] = core::array::from_fn(column);
        for simd in Simd::all() {
            let x: Vec<_> = x[..rows].iter().map(|x| simd.two(x[0], x[1])).collect();
            let mut sums = [7; COLUMNS];
            simd.columns(&pairs[3..], stride, &x, start, &mut sums);
            prop_assert_eq!(sums, exact, "{:?}", simd);
        }
    }

    #[test]
    fn rescaled_numbers_are_exact_and_limited(
        x: [[[i32; 8]; 2]; 2], scales: [[u16; 8]; 4], shift in -40i32..40, small in 0u32..32, one: bool
    ) {
        let x: Vec<[i32; 8]> = x.as_flattened().iter().map(|x| x.map(|x| x >> small)).collect();
        let scales = scales.map(|scales| scales.map(u32::from));
        let given = if one { &scales[..1] } else { &scales };
        let exact = |i: usize, j: usize| {
            let product = (i128::from(x[i][j]) * i128::from(given[if one { 0 } else { i }][j])) >> 16;
            let moved = if shift < 0 { product << -shift } else { product >> shift };
            moved.clamp(i32::MIN.into(), i32::MAX.into()) as i32
        };
        let exact: [[i32; 8]; 4] = core::array::from_fn(|i| core::array::from_fn(|j| exact(i, j)));
        for simd in Simd::all() {
            let mut x = x.clone();
            let max = simd.rescale(&mut x, given, shift);
            prop_assert_eq!(&x[..], &exact[..], "{:?}", simd);
            prop_assert_eq!(Some(&max), exact.as_flattened().iter().max(), "{:?}", simd);
        }
    }

    #[test]
    fn distances_are_exact(x: [[i32; 8]; 3], farthest in 0u32..1 << 31) {
        let max = *x.as_flattened().iter().max().unwrap();
        let distance = |x: i32| (i64::from(max) - i64::from(x)).min(farthest.into()) as i32;
        for simd in Simd::all() {
            let mut distances = x;
            simd.distances(&mut distances, max, farthest);
            prop_assert_eq!(distances, x.map(|x| x.map(distance)), "{:?}", simd);
        }
    }

    #[test]
    fn all_load_every_byte(bytes in prop::collection::vec(any::<[u8; 32]>(), 0..10)) {
        let with_complement = |half: [u8; 32]| [half, half.map(|byte| !byte)].concat().try_into().unwrap();
        let tiles: Vec<Tile> = bytes.iter().map(|&half| Tile(with_complement(half))).collect();
        let sums: Vec<u32> = Simd::all().iter().map(|simd| simd.load(&tiles)).collect();
        prop_assert!(sums.iter().all(|&sum| sum == sums[0]), "{sums:?}");
        prop_assert_eq!(sums[0], bytes.iter().fold(0, |sum: u32, _| sum.wrapping_sub(8)));
    }
}
