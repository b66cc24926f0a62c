use super::*;
use crate::allocation::Allocator;
use crate::fixed::Scale;
use crate::host::quantize::quantize_matrix;
use crate::matrix::Tile;
use proptest::prelude::*;

fn random_case() -> impl Strategy<Value = (Vec<Vec<f32>>, Vec<i32>)> {
    (1usize..70, 1usize..150).prop_flat_map(|(rows, cols)| {
        let row = prop::collection::vec(-1.0f32..1.0, cols);
        (prop::collection::vec(row, rows), prop::collection::vec(-1_000_000i32..1_000_000, cols))
    })
}

proptest! {
    #[test]
    fn inputs_are_the_nearest_integers(
        max in 1i32.., part in 0.0..=1.0f64, cols in 1usize..5000, unit in 1u64.., e in -90i32..90
    ) {
        let x = (f64::from(max) * part) as i32;
        let values = [&[x, -x, max, -max][..], &vec![0; cols]].concat();
        let (unit, limit) = (Scale::new(unit, e), activation_limit(values.len()));
        let mut input = Activations::new(&mut Allocator::default(), values.len(), Simd::Scalar);
        input.quantize(&values, unit, Coding::Rows);
        let real = f64::from(unit.mantissa) * 2f64.powi(unit.exponent - input.exponent);
        let got = bytemuck::cast_slice::<_, [i32; 4]>(&input.operands)[0];
        for (x, got) in values.iter().zip(got) {
            prop_assert!((f64::from(got) - f64::from(*x) * real).abs() <= 0.5 + 1e-3, "{got} {x} {real}");
            prop_assert!(got.abs() <= limit);
        }
        prop_assert!(got[2] >= limit / 2);
        prop_assert_eq!(input.groups[0].start[0], 0);
    }

    #[test]
    fn product_is_near_the_real_one((rows, x) in random_case()) {
        let weights: Vec<f32> = rows.concat();
        let matrix = quantize_matrix(&[&weights], x.len(), 16, None);
        let mut input = Activations::new(&mut Allocator::default(), x.len(), Simd::Scalar);
        input.quantize(&x, Scale::new(1, -16), Coding::Rows);
        let mut y = vec![0; rows.len()];
        matmul(Processors::one(Simd::Scalar), &matrix.view(), &input, &mut y);
        for (row, &y) in rows.iter().zip(&y) {
            let exact: f64 = row.iter().zip(&x).map(|(&w, &x)| f64::from(w) * f64::from(x) / 65536.0).sum();
            // Half a step of each weight (1/254) and of each input (15.3 / 4094), added at random.
            let bound = 0.004 * 15.3 * 4.0 * (x.len() as f64).sqrt();
            prop_assert!((f64::from(y) / 65536.0 - exact).abs() < bound, "{y} {exact}");
        }
    }

    #[test]
    fn all_simd_gives_the_same_integers((rows, x) in random_case(), byte: u8) {
        let weights: Vec<f32> = rows.concat();
        let mut matrix = quantize_matrix(&[&weights], x.len(), 16, None);
        for (i, tile) in matrix.tiles.iter_mut().enumerate() {
            tile.0[i % 64] = byte; // also weights that the packer would not write
        }
        let results = Simd::all().into_iter().map(|simd| {
            let mut input = Activations::new(&mut Allocator::default(), x.len(), simd);
            input.quantize(&x, Scale::new(1, -16), Coding::Rows);
            let mut y = vec![0; rows.len()];
            matmul(Processors::one(simd), &matrix.view(), &input, &mut y);
            y
        });
        let results: Vec<_> = results.collect();
        for (simd, y) in Simd::all().iter().zip(&results) {
            prop_assert_eq!(y, &results[0], "{:?}", simd);
        }
    }
}

#[test]
fn nothing_in_nothing_out() {
    let mut input = Activations::new(&mut Allocator::default(), 5, Simd::Scalar);
    input.quantize(&[0; 5], Scale::new(1, 0), Coding::Rows);
    assert!(bytemuck::cast_slice::<_, i32>(&input.operands).iter().all(|&x| x == 0));
}

#[test]
fn the_largest_sums_do_not_overflow() {
    for cols in [4, 32, 8192, 11_008] {
        for (byte, weight) in [(0, -128), (255, 127)] {
            let tiles = vec![Tile([byte; 64]); cols / TILE_COLS];
            for sign in [-1, 1] {
                let exact = weight * i64::from(sign * activation_limit(cols)) * cols as i64;
                for simd in Simd::all() {
                    let mut input = Activations::new(&mut Allocator::default(), cols, simd);
                    // A step of a power of two, at which the largest is the limit.
                    input.quantize(
                        &vec![activation_limit(cols) * sign; cols],
                        Scale::new(1, 0),
                        Coding::Rows,
                    );
                    let mut totals = [input.groups[0].start[0]; 16];
                    let operands = &input.operands[..2 * tiles.len()];
                    simd.add_products(&tiles, operands, &mut totals);
                    assert_eq!(totals.map(i64::from), [exact; 16], "{simd:?}");
                }
            }
        }
    }
}
