//! From numbers to the nearest codes.
use super::block::Affine;

/// The least and the largest of some numbers.
pub(super) fn range(values: &[f32]) -> (f32, f32) {
    let first = values[0];
    values.iter().fold((first, first), |(low, high), &value| (low.min(value), high.max(value)))
}

/// The number of the largest magnitude.
pub(super) fn extreme(values: &[f32]) -> f32 {
    let (low, high) = range(values);
    if -low > high { low } else { high }
}

/// The nearest codes, each with `zero` added to it, so that they are 0 to `max`, as a block stores
/// them. Numbers beyond these get the last code. Where a scale is 0, all get code 0.
pub(super) fn stored_codes<const N: usize, const G: usize>(
    values: &[f32; N],
    groups: &[Affine; G],
    zero: u8,
    max: u8,
) -> [u8; N] {
    let mut stored = [0; N];
    let runs = stored.chunks_exact_mut(N / G).zip(values.chunks_exact(N / G));
    for ((stored, values), group) in runs.zip(groups) {
        let inverse = if group.scale == 0.0 { 0.0 } else { 1.0 / group.scale };
        for (stored, value) in stored.iter_mut().zip(values) {
            // The cast cuts the fraction and saturates.
            let nearest = ((value - group.offset) * inverse + (f32::from(zero) + 0.5)) as u8;
            *stored = nearest.min(max);
        }
    }
    stored
}
