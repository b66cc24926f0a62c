//! Q4_0, Q4_1, Q5_0, Q5_1, Q8_0: 32 numbers that share one scale.
//!
//! Source: ggml's src/ggml-common.h (the blocks) and src/ggml-quants.c (`dequantize_row_q4_0` ...).
//! Codes around 0 are stored with their least added, so that they are not negative.
use super::block::{Affine, Block, Half};
use super::nearest::{extreme, range, stored_codes};
use super::{fields, fields::unpack};
use bytemuck::{Pod, Zeroable};

/// Numbers of a block.
const N: usize = 32;

/// y = d · (q - 8), 4.5 bits a number.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
pub(super) struct Q4_0 {
    d: Half,
    /// q
    qs: [u8; 16],
}

impl Q4_0 {
    const ZERO: u8 = 8;
}

impl Block<N, 1> for Q4_0 {
    fn unpack(&self) -> ([i8; N], [Affine; 1]) {
        let q: [u8; N] = unpack::<4, 16, _, _>(&self.qs);
        (q.map(|q| q as i8 - Self::ZERO as i8), [Affine::linear(self.d.get())])
    }

    fn pack(values: &[f32; N]) -> Option<Self> {
        let d = Half::new(extreme(values) / -f32::from(Self::ZERO))?;
        let q = stored_codes(values, &[Affine::linear(d.get())], Self::ZERO, 15);
        Some(Self { d, qs: fields::pack::<4, 16, _, _>(&q) })
    }
}

/// y = d · q + m, 5 bits a number.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
pub(super) struct Q4_1 {
    d: Half,
    m: Half,
    /// q
    qs: [u8; 16],
}

impl Block<N, 1> for Q4_1 {
    fn unpack(&self) -> ([i8; N], [Affine; 1]) {
        let q: [u8; N] = unpack::<4, 16, _, _>(&self.qs);
        (q.map(|q| q as i8), [Affine { scale: self.d.get(), offset: self.m.get() }])
    }

    fn pack(values: &[f32; N]) -> Option<Self> {
        let (d, m) = scale_and_minimum(values, 15)?;
        let q = stored_codes(values, &[Affine { scale: d.get(), offset: m.get() }], 0, 15);
        Some(Self { d, m, qs: fields::pack::<4, 16, _, _>(&q) })
    }
}

/// y = d · (q - 16), 5.5 bits a number.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
pub(super) struct Q5_0 {
    d: Half,
    /// Bit 4 of q.
    qh: [u8; 4],
    /// Bits 0 to 3 of q.
    qs: [u8; 16],
}

impl Q5_0 {
    const ZERO: u8 = 16;
}

impl Block<N, 1> for Q5_0 {
    fn unpack(&self) -> ([i8; N], [Affine; 1]) {
        let q = five_bits(&self.qs, &self.qh);
        (q.map(|q| q as i8 - Self::ZERO as i8), [Affine::linear(self.d.get())])
    }

    fn pack(values: &[f32; N]) -> Option<Self> {
        let d = Half::new(extreme(values) / -f32::from(Self::ZERO))?;
        let q = stored_codes(values, &[Affine::linear(d.get())], Self::ZERO, 31);
        Some(Self {
            d,
            qh: fields::pack::<1, 1, _, _>(&q.map(|q| q >> 4)),
            qs: fields::pack::<4, 16, _, _>(&q),
        })
    }
}

/// y = d · q + m, 6 bits a number.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
pub(super) struct Q5_1 {
    d: Half,
    m: Half,
    /// Bit 4 of q.
    qh: [u8; 4],
    /// Bits 0 to 3 of q.
    qs: [u8; 16],
}

impl Block<N, 1> for Q5_1 {
    fn unpack(&self) -> ([i8; N], [Affine; 1]) {
        let q = five_bits(&self.qs, &self.qh);
        (q.map(|q| q as i8), [Affine { scale: self.d.get(), offset: self.m.get() }])
    }

    fn pack(values: &[f32; N]) -> Option<Self> {
        let (d, m) = scale_and_minimum(values, 31)?;
        let q = stored_codes(values, &[Affine { scale: d.get(), offset: m.get() }], 0, 31);
        let qh = fields::pack::<1, 1, _, _>(&q.map(|q| q >> 4));
        Some(Self { d, m, qh, qs: fields::pack::<4, 16, _, _>(&q) })
    }
}

/// y = d · q, 8.5 bits a number.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
pub(super) struct Q8_0 {
    d: Half,
    qs: [i8; N],
}

impl Q8_0 {
    /// Stored as they are; this makes them not negative on the way there.
    const ZERO: u8 = 128;
}

impl Block<N, 1> for Q8_0 {
    fn unpack(&self) -> ([i8; N], [Affine; 1]) {
        (self.qs, [Affine::linear(self.d.get())])
    }

    fn pack(values: &[f32; N]) -> Option<Self> {
        let d = Half::new(extreme(values).abs() / 127.0)?;
        let q = stored_codes(values, &[Affine::linear(d.get())], Self::ZERO, 255);
        Some(Self { d, qs: q.map(|q| q.wrapping_sub(Self::ZERO) as i8) })
    }
}

/// The codes of 5 bits, of which the highest stand apart.
fn five_bits(low: &[u8; 16], high: &[u8; 4]) -> [u8; N] {
    let mut q: [u8; N] = unpack::<4, 16, _, _>(low);
    for (q, high) in q.iter_mut().zip(unpack::<1, 1, _, N>(high)) {
        *q |= high << 4;
    }
    q
}

/// d and m, so that code 0 is the least number and code `max` the largest.
fn scale_and_minimum(values: &[f32; N], max: u8) -> Option<(Half, Half)> {
    let (low, high) = range(values);
    let m = Half::new(low)?;
    Some((Half::new((high - m.get()) / f32::from(max))?, m))
}
