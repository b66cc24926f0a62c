use super::*;
use crate::matrix::factors::{Factors, GROUP_ROWS, pack};
use crate::matrix::{GROUPED_ACTIVATION, TILE_BYTES};
use proptest::prelude::*;

proptest! {
    #[test]
    fn products_are_exact(
        bytes in prop::collection::vec(any::<u8>(), 8 * TILE_BYTES), fours in 1usize..=8,
        x in prop::collection::vec(any::<[i16; 4]>(), 8), start in any::<[i16; TILE_ROWS]>(),
    ) {
        let tiles: Vec<Tile> = bytes.as_chunks().0[..fours].iter().map(|&bytes| Tile(bytes)).collect();
        let x: Vec<_> = x[..fours].iter().map(|x| x.map(i32::from)).collect();
        let products = |row: usize| {
            let x = x.as_flattened().iter().enumerate();
            let products = x.map(|(c, x)| i32::from(tiles[c / 4].rows()[row][c % 4]) * x);
            i32::from(start[row]) + products.sum::<i32>()
        };
        let exact: [i32; TILE_ROWS] = core::array::from_fn(products);
        for simd in Simd::all() {
            let x: Vec<_> = x.iter().flat_map(|&x| simd.four(x)).collect();
            let mut totals = start.map(i32::from);
            simd.add_products(&tiles, &x, &mut totals);
            prop_assert_eq!(totals, exact, "{:?}", simd);
        }
    }

    #[test]
    fn groups_are_exact(
        codes in prop::collection::vec(any::<u8>(), 3 * 32 * GROUP_ROWS), count in 1usize..=3, which in 0usize..6,
        x in prop::collection::vec(-GROUPED_ACTIVATION..=GROUPED_ACTIVATION, 3 * 32),
        rows in prop::collection::vec(any::<[(u32, i32); GROUP_ROWS]>(), 3), totals: [i16; GROUP_ROWS],
    ) {
        let columns = [16, 32][which / 3];
        let grouped = [Grouped::four, Grouped::eight, Grouped::eight_with_offsets][which % 3](columns);
        let of_rows: Vec<_> = rows[..count].iter().map(|rows| rows.map(|(d, o)| {
            Factors { d: d % (grouped.d_max() + 1), o: if grouped.offsets { o >> 20 } else { 0 } }
        })).collect();
        let x = &x[..count * columns];
        let groups: Vec<_> = x.chunks(columns).map(|x| {
            let sum: i32 = x.iter().sum();
            let start = ((sum * grouped.doubled(0)) >> 1) + (1 << (grouped.shift() - 1));
            GroupOfX { start: [start; 4], half_sum: [sum >> 1; 4] }
        }).collect();
        let codes: Vec<&[u8]> = codes.chunks(grouped.code_bytes()).take(count).collect();
        let weights: Vec<u8> =
            codes.iter().zip(&of_rows).flat_map(|(codes, rows)| [codes, &pack(rows, grouped.offsets)[..]].concat()).collect();
        let code = |g: usize, row: usize, column: usize| -> i32 {
            let (word, column) = (column / grouped.word_columns(), column % grouped.word_columns());
            let bytes = &codes[g][4 * (GROUP_ROWS * word + row)..][..4];
            (u32::from_le_bytes(bytes.try_into().unwrap()) >> (grouped.bits as usize * column)) as i32
                & ((1 << grouped.bits as usize) - 1)
        };
        let part = |g: usize, row: usize| {
            let x = x[g * columns..][..columns].iter().enumerate();
            let sum = groups[g].start[0] + x.map(|(c, x)| code(g, row, c) * x).sum::<i32>();
            let Factors { d, o } = of_rows[g][row];
            let product = i64::from(sum >> grouped.shift()) * i64::from(d);
            // Codes that the packer would not write may leave 32 bits.
            (product + i64::from(o) * i64::from(groups[g].half_sum[0])) as i32 >> PRODUCT_SHIFT
        };
        let exact: [i32; GROUP_ROWS] =
            core::array::from_fn(|row| i32::from(totals[row]) + (0..count).map(|g| part(g, row)).sum::<i32>());
        for simd in Simd::all() {
            let mut operands = vec![Operand::ZERO; x.len() / 2];
            simd.operands(grouped.bits, x, &mut operands);
            let mut totals = totals.map(i32::from);
            simd.add_groups(grouped, &weights, &operands, &groups, &mut totals);
            prop_assert_eq!(totals, exact, "{:?} {:?}", simd, grouped);
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
