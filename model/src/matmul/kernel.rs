//! The instructions that multiply: which there are, and the proofs that they may be used.
use super::{Four, Rows, scalar};
#[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
use super::{sse2, sse41};
use crate::matrix::{TILE_COLS, Tile};

/// How the products are calculated. All kernels give the same integers.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Kernel {
    /// Plain integer instructions: runs on a 486.
    #[default]
    Scalar,
    /// SSE2: `pmaddwd` on four rows at once. The fastest on hardware.
    #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
    Sse2(Sse2),
    /// SSE4.1: `pmulld` on four rows at once. The fastest in QEMU's translator.
    #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
    Sse41(Sse41),
}

/// The proof that the processor has SSE2 and that it is switched on.
#[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Sse2(());

/// The proof that the processor has SSE2 to SSE4.1 and that they are switched on.
#[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Sse41(());

#[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
impl Sse2 {
    /// # Safety
    /// The processor must have SSE2 (CPUID leaf 1, EDX bit 26) and the system must have switched
    /// it on (CR0.EM = 0, CR4.OSFXSR = 1; SDM volume 1, 11.6.2).
    pub const unsafe fn new() -> Self {
        Self(())
    }
}

#[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
impl Sse41 {
    /// # Safety
    /// As for [`Sse2::new`], and the processor must have SSE3 and SSE4.1 (CPUID leaf 1, ECX bits 0
    /// and 19).
    pub const unsafe fn new() -> Self {
        Self(())
    }
}

impl core::fmt::Display for Kernel {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Scalar => "no SIMD",
            #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
            Self::Sse2(_) => "SSE2",
            #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
            Self::Sse41(_) => "SSE4.1",
        })
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
    pub fn all() -> alloc::vec::Vec<Self> {
        let mut all = alloc::vec![Self::Scalar];
        #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
        {
            all.extend((Self::best() != Self::Scalar).then(Self::best));
            let has_sse41 = std::arch::is_x86_feature_detected!("sse4.1");
            // SAFETY: the processor has SSE4.1, and SSE3 with it; see [`Self::best`].
            all.extend(has_sse41.then(|| Self::Sse41(unsafe { Sse41::new() })));
        }
        all
    }

    /// Four inputs as this kernel wants them.
    #[inline(always)] // a call for each four would cost more than the work
    pub(super) fn prepare(self, x: [i32; TILE_COLS]) -> Four {
        match self {
            #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
            Self::Sse41(_) => Four::coefficients(x),
            _ => Four::pairs(x),
        }
    }

    /// Adds the products of a block of 16 rows with inputs that [`Kernel::prepare`] made. Weights are
    /// as the tiles hold them, 128 too large.
    #[inline(always)]
    pub(super) fn add_block(self, tiles: &[Tile], x: &[Four], totals: &mut Rows) {
        match self {
            Self::Scalar => scalar::add_block(tiles, x, totals),
            #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
            // SAFETY: an `Sse2` exists only where its creator promised that SSE2 works.
            Self::Sse2(_) => unsafe { sse2::add_block(tiles, x, totals) },
            #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
            // SAFETY: an `Sse41` exists only where its creator promised that SSE4.1 works.
            Self::Sse41(_) => unsafe { sse41::add_block(tiles, x, totals) },
        }
    }
}
