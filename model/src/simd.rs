//! The instructions that multiply: which there are, and the proofs that they may be used.

/// How the products are calculated. All give the same integers.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Simd {
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

impl core::fmt::Display for Simd {
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

impl Simd {
    /// The fastest of the host's processor.
    #[cfg(feature = "std")]
    pub fn best() -> Self {
        #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
        if std::arch::is_x86_feature_detected!("sse2") {
            // SAFETY: the processor has SSE2, and a hosted system that runs us has switched it on.
            return Self::Sse2(unsafe { Sse2::new() });
        }
        Self::Scalar
    }

    /// All that the host's processor runs.
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
}
