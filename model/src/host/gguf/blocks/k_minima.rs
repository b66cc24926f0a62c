//! Q2_K, Q4_K, Q5_K: 256 numbers, whose groups have a scale and a minimum, integers themselves.
//!
//! y = d · sc · q - dmin · mn, where sc and mn are a group's, d and dmin the block's.
//! Source: ggml's src/ggml-common.h (the blocks) and src/ggml-quants.c (`dequantize_row_q4_K` ...).
use super::block::{Affine, Block, Half};
use super::nearest::{range, stored_codes};
use super::{fields, fields::unpack};
use bytemuck::{Pod, Zeroable};
use std::array;

/// Numbers of a block, ggml's `QK_K`.
const N: usize = 256;

/// Groups of 16, sc and mn of 4 bits; 2.625 bits a number.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
pub(super) struct Q2K {
    /// sc in bits 0 to 3, mn in bits 4 to 7.
    scales: [u8; 16],
    /// q
    qs: [u8; 64],
    d: Half,
    dmin: Half,
}

impl Block<N, 16> for Q2K {
    fn unpack(&self) -> ([i8; N], [Affine; 16]) {
        let groups = Groups {
            d: self.d,
            dmin: self.dmin,
            sc: self.scales.map(|byte| byte & 15),
            mn: self.scales.map(|byte| byte >> 4),
        };
        let q: [u8; N] = unpack::<2, 32, _, _>(&self.qs);
        (q.map(|q| q as i8), groups.affine())
    }

    fn pack(values: &[f32; N]) -> Option<Self> {
        let groups = Groups::<16>::fit(values, 3, 15)?;
        let q = stored_codes(values, &groups.affine(), 0, 3);
        let Groups { d, dmin, sc, mn } = groups;
        let scales = array::from_fn(|group| sc[group] | mn[group] << 4);
        Some(Self { scales, qs: fields::pack::<2, 32, _, _>(&q), d, dmin })
    }
}

/// Groups of 32, sc and mn of 6 bits; 4.5 bits a number.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
pub(super) struct Q4K {
    d: Half,
    dmin: Half,
    /// sc and mn: [`Groups::from_six_bits`].
    scales: [u8; 12],
    /// q
    qs: [u8; 128],
}

impl Block<N, 8> for Q4K {
    fn unpack(&self) -> ([i8; N], [Affine; 8]) {
        let q: [u8; N] = unpack::<4, 32, _, _>(&self.qs);
        (q.map(|q| q as i8), Groups::from_six_bits(self.d, self.dmin, &self.scales).affine())
    }

    fn pack(values: &[f32; N]) -> Option<Self> {
        let groups = Groups::<8>::fit(values, 15, 63)?;
        let q = stored_codes(values, &groups.affine(), 0, 15);
        let scales = groups.to_six_bits();
        Some(Self { d: groups.d, dmin: groups.dmin, scales, qs: fields::pack::<4, 32, _, _>(&q) })
    }
}

/// Groups of 32, sc and mn of 6 bits; 5.5 bits a number.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
pub(super) struct Q5K {
    d: Half,
    dmin: Half,
    /// sc and mn: [`Groups::from_six_bits`].
    scales: [u8; 12],
    /// Bit 4 of q.
    qh: [u8; 32],
    /// Bits 0 to 3 of q.
    qs: [u8; 128],
}

impl Block<N, 8> for Q5K {
    fn unpack(&self) -> ([i8; N], [Affine; 8]) {
        let mut q: [u8; N] = unpack::<4, 32, _, _>(&self.qs);
        for (q, high) in q.iter_mut().zip(unpack::<1, 32, _, N>(&self.qh)) {
            *q |= high << 4;
        }
        (q.map(|q| q as i8), Groups::from_six_bits(self.d, self.dmin, &self.scales).affine())
    }

    fn pack(values: &[f32; N]) -> Option<Self> {
        let groups = Groups::<8>::fit(values, 31, 63)?;
        let q = stored_codes(values, &groups.affine(), 0, 31);
        let scales = groups.to_six_bits();
        let qh = fields::pack::<1, 32, _, _>(&q.map(|q| q >> 4));
        Some(Self { d: groups.d, dmin: groups.dmin, scales, qh, qs: fields::pack::<4, 32, _, _>(&q) })
    }
}

/// What the groups of a block multiply and subtract.
struct Groups<const G: usize> {
    d: Half,
    dmin: Half,
    sc: [u8; G],
    mn: [u8; G],
}

impl<const G: usize> Groups<G> {
    /// As scales and offsets.
    fn affine(&self) -> [Affine; G] {
        let (d, dmin) = (self.d.get(), self.dmin.get());
        array::from_fn(|group| Affine {
            scale: d * f32::from(self.sc[group]),
            offset: -(dmin * f32::from(self.mn[group])),
        })
    }

    /// Scales and minima so that code 0 is a group's least number, or 0 if none is below, and
    /// `max_code` its largest; sc and mn are 0 to `max_scale`.
    fn fit(values: &[f32; N], max_code: u8, max_scale: u8) -> Option<Self> {
        let (mut scales, mut minima) = ([0.0; G], [0.0; G]);
        for (group, values) in values.chunks_exact(N / G).enumerate() {
            let (low, high) = range(values);
            minima[group] = -low.min(0.0);
            scales[group] = (high + minima[group]) / f32::from(max_code);
        }
        let unit = |values: &[f32; G]| Half::new(range(values).1 / f32::from(max_scale));
        let (d, dmin) = (unit(&scales)?, unit(&minima)?);
        Some(Self {
            d,
            dmin,
            sc: stored_codes(&scales, &[Affine::linear(d.get())], 0, max_scale),
            mn: stored_codes(&minima, &[Affine::linear(dmin.get())], 0, max_scale),
        })
    }
}

/// sc and mn of 6 bits in 12 bytes, ggml's `get_scale_min_k4`:
///
/// | bytes | bits 0 to 3 | bits 4 and 5 | bits 6 and 7 |
/// | --- | --- | --- | --- |
/// | 0 to 3 | sc 0 to 3 | the same | bits 4 and 5 of sc 4 to 7 |
/// | 4 to 7 | mn 0 to 3 | the same | bits 4 and 5 of mn 4 to 7 |
/// | 8 to 11 | bits 0 to 3 of sc 4 to 7 | bits 0 to 3 of mn 4 to 7 | the same |
impl Groups<8> {
    fn from_six_bits(d: Half, dmin: Half, bytes: &[u8; 12]) -> Self {
        let six = |at: usize, shift: u8| {
            array::from_fn(|group| match group {
                0..4 => bytes[at + group] & 63,
                _ => bytes[4 + group] >> shift & 15 | bytes[at + group - 4] >> 6 << 4,
            })
        };
        Self { d, dmin, sc: six(0, 0), mn: six(4, 4) }
    }

    fn to_six_bits(&self) -> [u8; 12] {
        let Self { sc, mn, .. } = self;
        array::from_fn(|byte| match byte {
            0..4 => sc[byte] | sc[byte + 4] >> 4 << 6,
            4..8 => mn[byte - 4] | mn[byte] >> 4 << 6,
            _ => sc[byte - 4] & 15 | mn[byte - 4] << 4,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn six_bits_are_kept(bytes: [u8; 12]) {
            let zero = Half::new(0.0).unwrap();
            prop_assert_eq!(Groups::from_six_bits(zero, zero, &bytes).to_six_bits(), bytes);
        }
    }
}
