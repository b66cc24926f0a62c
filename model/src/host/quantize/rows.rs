//! The rows of a matrix in groups, before their factors are integers.
use super::absmax;
use crate::host::gguf::{Affine, Codes};
use crate::matrix::factors::Factors;
use crate::matrix::{Bits, Grouped, O_BITS, WEIGHT_ZERO};
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
pub(super) struct Group {
    pub(super) codes: [u8; 32],
    d: f64,
    o: f64,
}

/// The smallest unit of a row in which all its factors are integers small enough.
pub(super) fn unit_of(groups: &[Group], grouped: Grouped) -> f64 {
    let o_max = f64::from((1 << (O_BITS - 1)) - 1) * f64::from(1 << (grouped.shift() - 1));
    let units = groups.iter().map(|group| (group.d / f64::from(grouped.d_max())).max(group.o.abs() / o_max));
    units.fold(0.0, f64::max)
}

/// A row of a part.
pub(super) enum Row<'a> {
    Numbers(&'a [f32]),
    Codes { q: &'a [i8], groups: &'a [Affine], columns: usize, range: (i32, i32) },
}

impl Part {
    pub(super) fn rows(&self, cols: usize) -> Vec<Row<'_>> {
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
    /// Its numbers; none of codes.
    pub(super) const fn numbers(&self) -> &[f32] {
        match self {
            Self::Numbers(numbers) => numbers,
            Self::Codes { .. } => &[],
        }
    }

    /// The integer factors of a group, in the row's unit. Numbers get no smaller d than they need.
    pub(super) fn factors(&self, group: &Group, unit: f64, grouped: Grouped) -> Factors {
        let d = group.d / unit;
        match self {
            Self::Numbers(_) => Factors { d: (d.ceil() as u32).clamp(1, grouped.d_max()), o: 0 },
            Self::Codes { .. } => {
                let o = group.o / (unit * f64::from(1 << (grouped.shift() - 1)));
                Factors { d: d.round() as u32, o: o.round() as i32 }
            }
        }
    }

    /// The row's groups. Those of numbers have no codes yet.
    pub(super) fn groups(&self, grouped: Grouped) -> Vec<Group> {
        match *self {
            Self::Numbers(row) => {
                let largest = f64::from(code_limit(grouped));
                let zeros = [WEIGHT_ZERO as u8; 32];
                let group = |numbers: &[f32]| Group { codes: zeros, d: absmax(numbers) / largest, o: 0.0 };
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
pub(super) const fn code_limit(grouped: Grouped) -> i32 {
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
