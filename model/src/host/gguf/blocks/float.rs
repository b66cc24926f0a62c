//! F32, F16, BF16: numbers as they are.
use super::block::{Format, Half};
use half::bf16;

pub(super) const F32: Format = Format {
    dequantize: |bytes, out| bytemuck::cast_slice_mut(out).copy_from_slice(bytes),
    codes: None,
    quantize: |values| Ok(bytemuck::cast_slice(values).to_vec()),
};

/// IEEE 754 halves.
pub(super) const F16: Format = Format {
    dequantize: |bytes, out| widen(bytes, out, |two| Half(two).get()),
    codes: None,
    quantize: |values| narrow(values, |value| Half::new(value).map(|half| half.0)),
};

/// The upper halves of F32.
pub(super) const BF16: Format = Format {
    dequantize: |bytes, out| widen(bytes, out, |two| bf16::from_le_bytes(two).to_f32()),
    codes: None,
    quantize: |values| {
        narrow(values, |value| {
            let half = bf16::from_f32(value);
            half.is_finite().then_some(half.to_le_bytes())
        })
    },
};

/// Numbers from two bytes each.
fn widen(bytes: &[u8], out: &mut [f32], number: impl Fn([u8; 2]) -> f32) {
    for (out, &two) in out.iter_mut().zip(bytes.as_chunks().0) {
        *out = number(two);
    }
}

/// Two bytes from each number, or the first number that has none.
fn narrow(values: &[f32], bytes: impl Fn(f32) -> Option<[u8; 2]>) -> Result<Vec<u8>, usize> {
    let mut narrow = Vec::with_capacity(2 * values.len());
    for (index, &value) in values.iter().enumerate() {
        narrow.extend(bytes(value).ok_or(index)?);
    }
    Ok(narrow)
}
