//! Q3_K, Q6_K: 256 numbers, whose 16 groups of 16 have a scale, an integer itself.
//!
//! y = d · sc · q, where sc is a group's and d the block's.
//! Source: ggml's src/ggml-common.h (the blocks) and src/ggml-quants.c (`dequantize_row_q6_K` ...).
use super::block::{Affine, Block, Half};
use super::nearest::{extreme, stored_codes};
use super::{fields, fields::unpack};
use bytemuck::{Pod, Zeroable};
use std::array;

/// Numbers of a block, ggml's `QK_K`.
const N: usize = 256;
/// Groups of a block.
const G: usize = 16;

/// Codes of 3 bits, q + 4; 3.4375 bits a number.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
pub(super) struct Q3K {
    /// Bit 2 of q + 4.
    hmask: [u8; 32],
    /// Bits 0 and 1 of q + 4.
    qs: [u8; 64],
    /// Bits 0 to 3 of sc + 32.
    scales_low: [u8; 8],
    /// Bits 4 and 5 of sc + 32.
    scales_high: [u8; 4],
    d: Half,
}

impl Q3K {
    const ZERO: u8 = 4;
    const SCALE_ZERO: u8 = 32;
}

impl Block<N, G> for Q3K {
    fn unpack(&self) -> ([i8; N], [Affine; G]) {
        let mut q: [u8; N] = unpack::<2, 32, _, _>(&self.qs);
        for (q, high) in q.iter_mut().zip(unpack::<1, 32, _, N>(&self.hmask)) {
            *q |= high << 2;
        }
        let mut sc: [u8; G] = unpack::<4, 8, _, _>(&self.scales_low);
        for (sc, high) in sc.iter_mut().zip(unpack::<2, 4, _, G>(&self.scales_high)) {
            *sc |= high << 4;
        }
        let sc = sc.map(|sc| sc as i8 - Self::SCALE_ZERO as i8);
        (q.map(|q| q as i8 - Self::ZERO as i8), affine(self.d, sc))
    }

    fn pack(values: &[f32; N]) -> Option<Self> {
        let (d, sc) = fit(values, Self::ZERO, Self::SCALE_ZERO)?;
        let q =
            stored_codes(values, &affine(d, sc.map(|sc| sc as i8 - Self::SCALE_ZERO as i8)), Self::ZERO, 7);
        Some(Self {
            hmask: fields::pack::<1, 32, _, _>(&q.map(|q| q >> 2)),
            qs: fields::pack::<2, 32, _, _>(&q),
            scales_low: fields::pack::<4, 8, _, _>(&sc),
            scales_high: fields::pack::<2, 4, _, _>(&sc.map(|sc| sc >> 4)),
            d,
        })
    }
}

/// Codes of 6 bits, q + 32; 6.5625 bits a number.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
pub(super) struct Q6K {
    /// Bits 0 to 3 of q + 32.
    ql: [u8; 128],
    /// Bits 4 and 5 of q + 32.
    qh: [u8; 64],
    /// sc
    scales: [i8; G],
    d: Half,
}

impl Q6K {
    const ZERO: u8 = 32;
    /// Scales are stored as they are; this makes them not negative on the way there.
    const SCALE_ZERO: u8 = 128;
}

impl Block<N, G> for Q6K {
    fn unpack(&self) -> ([i8; N], [Affine; G]) {
        let mut q: [u8; N] = unpack::<4, 64, _, _>(&self.ql);
        for (q, high) in q.iter_mut().zip(unpack::<2, 32, _, N>(&self.qh)) {
            *q |= high << 4;
        }
        (q.map(|q| q as i8 - Self::ZERO as i8), affine(self.d, self.scales))
    }

    fn pack(values: &[f32; N]) -> Option<Self> {
        let (d, sc) = fit(values, Self::ZERO, Self::SCALE_ZERO)?;
        let scales = sc.map(|sc| sc.wrapping_sub(Self::SCALE_ZERO) as i8);
        let q = stored_codes(values, &affine(d, scales), Self::ZERO, 63);
        Some(Self {
            ql: fields::pack::<4, 64, _, _>(&q),
            qh: fields::pack::<2, 32, _, _>(&q.map(|q| q >> 4)),
            scales,
            d,
        })
    }
}

/// As scales of the groups.
fn affine(d: Half, sc: [i8; G]) -> [Affine; G] {
    let d = d.get();
    sc.map(|sc| Affine::linear(d * f32::from(sc)))
}

/// d, and the groups' sc + `scale_zero`, so that code -`zero` is a group's extreme.
///
/// Both have one more code below 0 than above, so an extreme gets the lowest.
fn fit(values: &[f32; N], zero: u8, scale_zero: u8) -> Option<(Half, [u8; G])> {
    let groups = values.as_chunks::<{ N / G }>().0;
    let scales: [f32; G] = array::from_fn(|group| extreme(&groups[group]) / -f32::from(zero));
    let d = Half::new(extreme(&scales) / -f32::from(scale_zero))?;
    let sc = stored_codes(&scales, &[Affine::linear(d.get())], scale_zero, scale_zero + (scale_zero - 1));
    Some((d, sc))
}
