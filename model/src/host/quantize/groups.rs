//! Weights in groups: a GGUF's codes as they are, or numbers rounded to 8 bits.
use super::{QuantizedMatrix, absmax, exponent_for};
use crate::host::gguf::{Affine, Codes};
use crate::matrix::factors::{Factors, GROUP_ROWS, pack};
use crate::matrix::{Bits, Coding, Grouped, Matrix, O_BITS, SCALE_BITS, TILE_BYTES, TILE_ROWS, Tile};
use rayon::prelude::*;
use std::ops::RangeInclusive;

/// Some rows of a matrix.
pub enum Part {
    /// As numbers (rows, cols).
    Numbers(Vec<f32>),
    /// As codes.
    Codes {
        /// The codes (rows, cols) with their groups' scales and offsets.
        codes: Codes,
        /// Which codes there are.
        range: RangeInclusive<i8>,
    },
}

/// A group of a row before its factors are integers: `d · (code - middle) + o`.
struct Group {
    codes: [u8; 32],
    d: f64,
    o: f64,
}

/// A matrix made of `parts` one below the other, with columns in groups. Outputs of the matrix will have
/// `fraction_bits`.
pub fn quantize_groups(parts: &[Part], cols: usize, grouped: Grouped, fraction_bits: i32) -> QuantizedMatrix {
    let rows: Vec<Row> = parts.iter().flat_map(|part| part.rows(cols)).collect();
    let units: Vec<f64> = rows.par_iter().map(|row| unit_of(&row.groups(grouped), grouped)).collect();
    let largest = units.iter().fold(0.0, |a: f64, &b| a.max(b));
    // Rounding must not reach 2^16, so the largest is aimed a little below.
    let exponent = exponent_for(largest * (1.0 + 2f64.powi(-15)), SCALE_BITS as i32);
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
            let mut factors = vec![[Factors::default(); GROUP_ROWS]; grouped.groups(cols)];
            for (r, (row, &scale)) in rows.iter().zip(scales).enumerate() {
                let unit = f64::from(scale) * 2f64.powi(exponent);
                let groups = row.groups(grouped).into_iter().zip(bytes.chunks_exact_mut(grouped.bytes()));
                for (g, (group, bytes)) in groups.enumerate() {
                    let (of_row, codes) = match row {
                        Row::Numbers(row) => {
                            let numbers = row.chunks(grouped.columns).nth(g).expect("as many groups");
                            round(numbers, group.d, unit, grouped)
                        }
                        Row::Codes { .. } => {
                            let o = group.o / (unit * f64::from(1 << (grouped.shift() - 1)));
                            let d = (group.d / unit).round() as u32;
                            (Factors { d, o: o.round() as i32 }, group.codes)
                        }
                    };
                    write(bytes, &codes, r, grouped);
                    factors[g][r] = of_row;
                }
            }
            for (bytes, factors) in bytes.chunks_exact_mut(grouped.bytes()).zip(&factors) {
                bytes[grouped.code_bytes()..].copy_from_slice(&pack(factors, grouped.offsets));
            }
        },
    );
    QuantizedMatrix { rows: rows.len(), cols, coding, exponent, fraction_bits, scales, tiles }
}

/// The smallest unit of a row in which all its factors are integers small enough.
fn unit_of(groups: &[Group], grouped: Grouped) -> f64 {
    let o_max = f64::from((1 << (O_BITS - 1)) - 1) * f64::from(1 << (grouped.shift() - 1));
    let units = groups.iter().map(|group| (group.d / f64::from(grouped.d_max())).max(group.o.abs() / o_max));
    units.fold(0.0, f64::max)
}

/// A row of a part.
enum Row<'a> {
    Numbers(&'a [f32]),
    Codes { q: &'a [i8], groups: &'a [Affine], columns: usize, range: (i32, i32) },
}

impl Part {
    fn rows(&self, cols: usize) -> Vec<Row<'_>> {
        match self {
            Self::Numbers(numbers) => numbers.chunks_exact(cols).map(Row::Numbers).collect(),
            Self::Codes { codes, range } => {
                let columns = codes.columns;
                let range = ((*range.start()).into(), (*range.end()).into());
                let rows = codes.q.chunks_exact(cols).zip(codes.groups.chunks_exact(cols / columns));
                rows.map(|(q, groups)| Row::Codes { q, groups, columns, range }).collect()
            }
        }
    }
}

impl Row<'_> {
    /// The row's groups. Those of numbers have no codes yet.
    fn groups(&self, grouped: Grouped) -> Vec<Group> {
        match *self {
            Self::Numbers(row) => {
                let largest = f64::from(code_limit(grouped));
                let group = |numbers: &[f32]| Group { codes: [0; 32], d: absmax(numbers) / largest, o: 0.0 };
                row.chunks(grouped.columns).map(group).collect()
            }
            Self::Codes { q, groups, columns, range } => {
                let affine = |g: usize| groups[g * grouped.columns / columns];
                let groups = q.chunks(grouped.columns).enumerate();
                groups.map(|(g, q)| group_of_codes(q, affine(g), range, grouped)).collect()
            }
        }
    }
}

/// The largest magnitude of a code of 8 bits.
const fn code_limit(grouped: Grouped) -> i32 {
    if grouped.offsets { grouped.code_max() / 2 } else { 127 }
}

/// Codes `scale · q + offset` of a range, as a group has them: multiplied by what brings them near their limits, as the
/// bits that are lost of a group's sum then count less; with a scale that is not negative.
fn group_of_codes(q: &[i8], affine: Affine, (low, high): (i32, i32), grouped: Grouped) -> Group {
    let Affine { scale, offset } = affine;
    let (scale, offset) = (f64::from(scale), f64::from(offset));
    let (sign, scale) = if scale < 0.0 { (-1, -scale) } else { (1, scale) };
    let mut codes = [0; 32];
    match grouped.bits {
        Bits::Four => {
            let factor = 15 / (high - low);
            // For a negative scale from the other end.
            let end = if sign < 0 { high } else { low };
            for (code, &q) in codes.iter_mut().zip(q) {
                *code = (factor * sign * (i32::from(q) - end)) as u8;
            }
            let d = scale / f64::from(factor);
            Group { codes, d, o: offset + f64::from(sign * end) * scale + 7.5 * d }
        }
        Bits::Eight => {
            // In halves, about the middle of codes that have an offset.
            let (middle, halves) = if grouped.offsets && low == 0 { (high, 2) } else { (0, 1) };
            let widest = (halves * high - middle).max(middle - halves * low);
            let factor = (code_limit(grouped) / widest).max(1);
            for (code, &q) in codes.iter_mut().zip(q) {
                let about_middle = sign * factor * (halves * i32::from(q) - middle);
                *code = (about_middle.clamp(-128, 127) + 128) as u8;
            }
            let d = scale / f64::from(factor * halves);
            let o = offset + f64::from(sign * middle) / f64::from(halves) * scale;
            Group { codes, d, o }
        }
    }
}

/// Rounds numbers to codes of 8 bits: the factor d and the codes. d is at least `exact`.
fn round(numbers: &[f32], exact: f64, unit: f64, grouped: Grouped) -> (Factors, [u8; 32]) {
    let d = ((exact / unit).ceil() as u32).clamp(1, grouped.d_max());
    let limit = f64::from(code_limit(grouped));
    let mut codes = [128; 32];
    for (code, &number) in codes.iter_mut().zip(numbers) {
        let nearest = (f64::from(number) / (f64::from(d) * unit)).round_ties_even();
        *code = (nearest.clamp(-limit, limit) as i32 + 128) as u8;
    }
    (Factors { d, o: 0 }, codes)
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
                    let matrix = quantize_groups(&[part], COLUMNS, grouped, 16);
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
                let matrix = quantize_groups(&[part], COLUMNS, Grouped::eight(columns), 16);
                let distance = largest_distance(&gathered(&matrix), &numbers);
                prop_assert!(distance < 0.51 / 127.0, "{columns}: {distance}");
            }
        }
    }
}
