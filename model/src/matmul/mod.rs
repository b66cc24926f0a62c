//! `W (rows, cols) @ x (cols,) -> y (rows,)`, with one-byte weights and x of up to 12 bits.
//!
//! The result is defined by integers, so that every kernel gives the same: a row's products
//! `lane · x_odd + (lane << 8) · x_even` (see [`crate::matrix`]) are added in i32 over
//! [`SEGMENT_COLS`] columns, the sum is shifted right by [`SEGMENT_SHIFT`] and added to the row's
//! total. The total times row scale times input scale, rounded, is y.
use crate::allocation::Allocator;
use crate::fixed::Requantizer;
use crate::fixed::{Factor, Scale, absmax};
use crate::matrix::{Matrix, TILE_COLS, TILE_ROWS, Tile};
use crate::team::Processors;
use alloc::vec::Vec;

mod scalar;
#[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
mod sse2;
#[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
mod sse2_halves;

/// Columns whose products are added before the sum is shifted.
pub const SEGMENT_COLS: usize = 32;
/// The shift of a segment's sum: it takes off the 8 bits that lanes have below one.
pub const SEGMENT_SHIFT: u32 = 8;
/// Tiles in a segment.
const SEGMENT_TILES: usize = SEGMENT_COLS / TILE_COLS;
/// The largest magnitude of x: 12 bits with the sign.
pub const MAX_ACTIVATION: i32 = 2047;

/// The largest lane is -2^15; so this is the largest sum of a segment.
const SEGMENT_SUM: i64 = SEGMENT_COLS as i64 * (1 << 15) * MAX_ACTIVATION as i64;
const _: () = assert!(SEGMENT_SUM <= i32::MAX as i64, "a segment's sum fits i32");

/// The largest magnitude of x for a matrix of `cols` columns: 12 bits, less where the total of so
/// many columns would not fit 31 bits.
pub const fn activation_limit(cols: usize) -> i32 {
    // Each column adds at most 2^15 · x / 2^8; a segment's shift rounds down by at most 1.
    let segments = cols.div_ceil(SEGMENT_COLS) as i64;
    let per_unit = (segments * SEGMENT_COLS as i64) << (15 - SEGMENT_SHIFT);
    let limit = (i32::MAX as i64 - segments) / per_unit;
    if limit < MAX_ACTIVATION as i64 { limit as i32 } else { MAX_ACTIVATION }
}

const _: () = {
    assert!(activation_limit(8192) >= MAX_ACTIVATION - 1);
    assert!(activation_limit(crate::shape::MAX_LENGTH) >= 63, "7 bits for the longest vector");
};

/// Four inputs, ready for a kernel that handles four rows at once: `[x1, x3]` and `[x0, x2]`, each
/// four times.
#[derive(Clone, Copy)]
#[repr(C, align(16))]
pub struct Lanes {
    /// `x1, x3`, for the lanes as they are.
    pub odd: [[i16; 2]; 4],
    /// `x0, x2`, for the lanes shifted left by 8.
    pub even: [[i16; 2]; 4],
}

// SAFETY: all bytes zero are four zeros.
unsafe impl bytemuck::Zeroable for Lanes {}

/// An input vector of few-bit integers with one scale.
pub struct Activations {
    lanes: Vec<Lanes>,
    /// What 1 means.
    pub scale: Scale,
}

impl Activations {
    /// Room for vectors of up to `cols` values.
    pub(crate) fn new(allocator: &mut Allocator, cols: usize) -> Self {
        Self { lanes: allocator.zeroed(cols.div_ceil(TILE_COLS)), scale: Scale::ZERO }
    }

    /// Takes over `values · unit`, rounded to at most 12 bits.
    #[optimize(speed)]
    pub fn quantize(&mut self, values: &[i32], unit: Scale) {
        let limit = activation_limit(values.len());
        let max = absmax(values);
        let requantizer = Requantizer::new(max, limit);
        let one = |x: i32| requantizer.apply(x) as i16;
        self.lanes.clear();
        let (fours, rest) = values.as_chunks::<TILE_COLS>();
        self.lanes.extend(fours.iter().map(|x| Lanes::new(x.map(one))));
        if !rest.is_empty() {
            let mut last = [0; TILE_COLS];
            last[..rest.len()].copy_from_slice(rest);
            self.lanes.push(Lanes::new(last.map(one)));
        }
        self.scale = Scale::new(max as u64, 0).div(Scale::new(limit as u64, 0)).mul(unit);
    }
}

impl Lanes {
    fn new([x0, x1, x2, x3]: [i16; TILE_COLS]) -> Self {
        Self { odd: [[x1, x3]; 4], even: [[x0, x2]; 4] }
    }
}

/// How the products are calculated. All kernels give the same integers.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Kernel {
    /// Plain integer instructions: runs on a 486.
    #[default]
    Scalar,
    /// SSE2: `pmaddwd` on four rows at once.
    #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
    Sse2(Sse2),
    /// SSE2 in the order that suits QEMU's translator: twice as fast there, slower on hardware.
    #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
    Sse2Halves(Sse2),
}

/// The proof that the processor has SSE2 and that it is switched on.
#[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Sse2(());

#[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
impl Sse2 {
    /// # Safety
    /// The processor must have SSE2 (CPUID leaf 1, EDX bit 26) and the system must have switched
    /// it on (CR0.EM = 0, CR4.OSFXSR = 1; SDM volume 1, 11.6.2).
    pub const unsafe fn new() -> Self {
        Self(())
    }
}

impl Kernel {
    /// The fastest kernel of the host's processor.
    #[cfg(feature = "std")]
    pub fn best() -> Self {
        #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
        if std::arch::is_x86_feature_detected!("sse2") {
            // SAFETY: the processor has SSE2, and a hosted system that runs us has switched it on.
            return Self::Sse2(unsafe { Sse2::new() });
        }
        Self::Scalar
    }

    /// All kernels that the host's processor runs.
    #[cfg(feature = "std")]
    pub fn all() -> Vec<Self> {
        let mut all = alloc::vec![Self::Scalar];
        #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
        if let Self::Sse2(sse2) = Self::best() {
            all.extend([Self::Sse2(sse2), Self::Sse2Halves(sse2)]);
        }
        all
    }

    /// The totals of a block of 16 rows.
    #[inline]
    fn block(self, tiles: &[Tile], x: &[Lanes]) -> [i32; TILE_ROWS] {
        match self {
            Self::Scalar => scalar::block(tiles, x),
            #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
            // SAFETY: an `Sse2` exists only where its creator promised that SSE2 works.
            Self::Sse2(_) => unsafe { sse2::block(tiles, x) },
            #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
            // SAFETY: as above.
            Self::Sse2Halves(_) => unsafe { sse2_halves::block(tiles, x) },
        }
    }
}

/// `y = W @ x` with `w.fraction_bits` fraction bits, limited to i32. x has `w.cols` values, y
/// `w.rows`.
#[optimize(speed)]
pub fn matmul(processors: Processors, w: &Matrix, x: &Activations, y: &mut [i32]) {
    debug_assert_eq!(y.len(), w.rows);
    debug_assert_eq!(x.lanes.len(), Matrix::tiles_per_block(w.cols));
    // total · row_scale · 2^exponent · x_scale · 2^fraction_bits, with row_scale · x mantissa
    // taken 31 bits down, so that it stays below 2^31.
    let shift = -(w.exponent + x.scale.exponent + w.fraction_bits + 31);
    processors.share_out(y, TILE_ROWS, |block, y| {
        let totals = processors.kernel.block(w.block(block), &x.lanes);
        let scales = &w.scales[block * TILE_ROWS..];
        for ((y, &scale), &total) in y.iter_mut().zip(scales).zip(&totals) {
            let mantissa = (u64::from(scale) * u64::from(x.scale.mantissa)) >> 31;
            *y = Factor { mantissa: mantissa as u32, shift }.apply(total);
        }
    });
}

#[cfg(test)]
mod tests;
