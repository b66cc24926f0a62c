//! Weights in groups: a GGUF's codes as they are, or numbers rounded to 8 bits.
use super::rows::{Group, Part, Row, code_limit, unit_of};
use super::{Feeding, QuantizedMatrix, feeding::round_rows, scale_exponent};
use crate::matrix::factors::{Factors, GROUP_ROWS, pack};
use crate::matrix::{Bits, Coding, Grouped, Matrix, TILE_BYTES, TILE_ROWS, Tile, WEIGHT_ZERO};
use rayon::prelude::*;

/// How many factors d are tried for a group where errors are fed on: a weight whose inputs are large had best be a
/// multiple of d.
const DS_TRIED: usize = 24;
/// From one to the next, d grows by this part.
const PARTS_OF_D: u32 = 256;

/// A matrix made of `parts` one below the other, with columns in groups. Outputs of the matrix will have
/// `fraction_bits`. `feeding`: how the errors of numbers are fed on, if they are.
pub fn quantize_groups(
    parts: &[Part],
    cols: usize,
    grouped: Grouped,
    fraction_bits: i32,
    feeding: Option<&Feeding>,
) -> QuantizedMatrix {
    let rows: Vec<Row> = parts.iter().flat_map(|part| part.rows(cols)).collect();
    let room = if feeding.is_some() { 1.0 + DS_TRIED as f64 / f64::from(PARTS_OF_D) } else { 1.0 };
    let units: Vec<f64> = rows.par_iter().map(|row| room * unit_of(&row.groups(grouped), grouped)).collect();
    let largest = units.iter().fold(0.0, |a: f64, &b| a.max(b));
    let exponent = scale_exponent(largest);
    // Rounded up, so that no factor is too large.
    let scale = |unit: &f64| ((unit / 2f64.powi(exponent)).ceil() as u32).max(1);
    let mut scales: Vec<u32> = units.iter().map(scale).collect();
    scales.resize(Matrix::blocks(rows.len()) * TILE_ROWS, 0);
    let coding = Coding::Groups(grouped);
    let half = coding.block_bytes(cols) / 2;
    let bytes = Matrix::blocks(rows.len()) * coding.block_bytes(cols);
    let mut tiles = vec![Tile([0; TILE_BYTES]); bytes.div_ceil(TILE_BYTES)];
    let halves = bytemuck::cast_slice_mut(&mut tiles).par_chunks_mut(half);
    halves.zip(rows.par_chunks(GROUP_ROWS)).zip(scales.par_chunks(GROUP_ROWS)).for_each(
        |((bytes, rows), scales)| {
            let unit = |r: usize| f64::from(scales[r]) * 2f64.powi(exponent);
            let groups: Vec<Vec<Group>> = rows.iter().map(|row| row.groups(grouped)).collect();
            let mut factors = vec![[Factors::default(); GROUP_ROWS]; grouped.groups(cols)];
            for (r, (row, groups)) in rows.iter().zip(&groups).enumerate() {
                for (factors, group) in factors.iter_mut().zip(groups) {
                    factors[r] = row.factors(group, unit(r), grouped);
                }
            }
            let numbers: Vec<&[f32]> = rows.iter().map(Row::numbers).collect();
            let rounded = match feeding {
                None => round_numbers::<1>(&numbers, cols, grouped, unit, &mut factors, None),
                Some(_) => round_numbers::<DS_TRIED>(&numbers, cols, grouped, unit, &mut factors, feeding),
            };
            for (r, (row, groups)) in rows.iter().zip(&groups).enumerate() {
                let bytes = bytes.chunks_exact_mut(grouped.bytes());
                for ((bytes, group), rounded) in bytes.zip(groups).zip(rounded.chunks(grouped.columns)) {
                    let mut codes = group.codes;
                    if let Row::Numbers(_) = row {
                        for (code, rounded) in codes.iter_mut().zip(rounded) {
                            *code = (i32::from(rounded[r]) + WEIGHT_ZERO) as u8;
                        }
                    }
                    write(bytes, &codes, r, grouped);
                }
            }
            for (bytes, factors) in bytes.chunks_exact_mut(grouped.bytes()).zip(&factors) {
                bytes[grouped.code_bytes()..].copy_from_slice(&pack(factors, grouped.offsets));
            }
        },
    );
    QuantizedMatrix { rows: rows.len(), cols, coding, exponent, fraction_bits, scales, tiles }
}

/// Rounds 8 rows of numbers. Each group takes one of `DS` factors d, from the one in `factors` on.
fn round_numbers<const DS: usize>(
    numbers: &[&[f32]],
    cols: usize,
    grouped: Grouped,
    unit: impl Fn(usize) -> f64,
    factors: &mut [[Factors; GROUP_ROWS]],
    feeding: Option<&Feeding>,
) -> Vec<[i8; GROUP_ROWS]> {
    let d =
        |least: u32, which: usize| (least + which as u32 * least.div_ceil(PARTS_OF_D)).min(grouped.d_max());
    let steps = |row: usize, group: usize| {
        std::array::from_fn(|which| f64::from(d(factors[group][row].d, which)) * unit(row))
    };
    let limit = f64::from(code_limit(grouped));
    let rounded = round_rows::<DS>(numbers, cols, grouped.columns, steps, limit, feeding);
    for (factors, taken) in factors.iter_mut().zip(rounded.taken) {
        factors.iter_mut().zip(taken).for_each(|(factors, which)| factors.d = d(factors.d, which));
    }
    rounded.codes
}

/// Writes a row's codes into 8 rows of a group.
fn write(bytes: &mut [u8], codes: &[u8; 32], row: usize, grouped: Grouped) {
    let words = codes[..grouped.columns].chunks(grouped.word_columns());
    for (word, codes) in words.enumerate() {
        let bytes = &mut bytes[4 * (GROUP_ROWS * word + row)..][..4];
        match grouped.bits {
            Bits::Eight => bytes.copy_from_slice(codes),
            Bits::Four => {
                for (byte, pair) in bytes.iter_mut().zip(codes.as_chunks::<2>().0) {
                    *byte = pair[0] | pair[1] << 4;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::gguf::{TensorType, codes, dequantize, quantize};
    use proptest::prelude::*;

    /// Rows and columns of the matrices here: two K-blocks.
    const COLUMNS: usize = 512;
    const ROWS: usize = 9;

    /// The coding that keeps a type's codes, and others that can.
    fn codings(tensor_type: TensorType) -> Vec<Grouped> {
        use TensorType::*;
        match tensor_type {
            Q4_0 | Q4_1 | Q4K => vec![Grouped::four(32), Grouped::four(16), Grouped::eight_with_offsets(16)],
            Q2K | Q3K => vec![Grouped::four(16), Grouped::eight_with_offsets(16)],
            Q5_0 => vec![Grouped::eight(32), Grouped::eight_with_offsets(32)],
            Q6K => vec![Grouped::eight(16), Grouped::eight_with_offsets(16)],
            Q5_1 | Q5K => vec![Grouped::eight_with_offsets(32)],
            Q8_0 => vec![Grouped::eight(32)],
            F32 | F16 | Bf16 => Vec::new(),
        }
    }

    fn gathered(matrix: &QuantizedMatrix) -> Vec<f64> {
        let mut all = Vec::new();
        for row in 0..ROWS {
            let mut out = vec![0; COLUMNS];
            matrix.view().gather_row(row, 24, &mut out);
            all.extend(out.iter().map(|&x| f64::from(x) / 2f64.powi(24)));
        }
        all
    }

    fn largest_distance(got: &[f64], numbers: &[f32]) -> f64 {
        got.iter().zip(numbers).map(|(got, &number)| (got - f64::from(number)).abs()).fold(0.0, f64::max)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(8))]

        #[test]
        fn codes_are_kept(numbers in prop::collection::vec(-1.0f32..1.0, ROWS * COLUMNS)) {
            for tensor_type in TensorType::ALL {
                let bytes = quantize(tensor_type, &numbers).unwrap();
                let mut exact = vec![0.0; numbers.len()];
                dequantize(tensor_type, &bytes, &mut exact).unwrap();
                for grouped in codings(tensor_type) {
                    let codes = codes(tensor_type, &bytes).unwrap().unwrap();
                    let part = Part::Codes { codes, range: tensor_type.code_range() };
                    let matrix = quantize_groups(&[part], COLUMNS, grouped, 16, None);
                    // The factors' rounding, of 9 bits or more; that of the codes would be ten times as much.
                    let distance = largest_distance(&gathered(&matrix), &exact);
                    prop_assert!(distance < 1.5 / 512.0, "{tensor_type:?} {grouped:?}: {distance}");
                }
            }
        }

        #[test]
        fn numbers_are_rounded_to_8_bits(numbers in prop::collection::vec(-1.0f32..1.0, ROWS * COLUMNS)) {
            for columns in Grouped::COLUMNS {
                let part = Part::Numbers(numbers.clone());
                let matrix = quantize_groups(&[part], COLUMNS, Grouped::eight(columns), 16, None);
                let distance = largest_distance(&gathered(&matrix), &numbers);
                prop_assert!(distance < 0.51 / 127.0, "{columns}: {distance}");
            }
        }
    }
}
