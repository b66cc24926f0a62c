use super::*;
use crate::matrix::TILE_BYTES;
use proptest::prelude::*;

proptest! {
    #[test]
    fn products_are_exact(
        bytes in prop::collection::vec(any::<u8>(), 9 * TILE_BYTES), tiles in 1usize..=9,
        x in prop::collection::vec(any::<[i16; TILE_COLS]>(), 9), start in any::<[i16; TILE_ROWS]>(),
    ) {
        let tiles: Vec<Tile> = bytes.as_chunks().0[..tiles].iter().map(|&bytes| Tile(bytes)).collect();
        let x: Vec<_> = x[..tiles.len()].iter().map(|x| x.map(i32::from)).collect();
        let products = |row: usize| {
            let of_tile = |(tile, x): (&Tile, &[i32; 4])| -> i32 {
                tile.rows()[row].iter().zip(x).map(|(&byte, x)| i32::from(byte) * x).sum()
            };
            i32::from(start[row]) + tiles.iter().zip(&x).map(of_tile).sum::<i32>()
        };
        let exact: [i32; TILE_ROWS] = core::array::from_fn(products);
        for simd in Simd::all() {
            let x: Vec<_> = x.iter().map(|&x| simd.four(x)).collect();
            let mut totals = start.map(i32::from);
            simd.add_products(&tiles, &x, &mut totals);
            prop_assert_eq!(totals, exact, "{:?}", simd);
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
