//! What this computer has to multiply with: SIMD and threads.
use crate::simd::Simd;
#[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
use crate::simd::{Sse2, Sse41};
use crate::workers::Workers;

impl Simd {
    /// The fastest of the host's processor.
    pub fn best() -> Self {
        #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
        if std::arch::is_x86_feature_detected!("sse2") {
            // SAFETY: the processor has SSE2, and a hosted system that runs us has switched it on.
            return Self::Sse2(unsafe { Sse2::new() });
        }
        Self::Scalar
    }

    /// All that the host's processor runs.
    pub fn all() -> Vec<Self> {
        let mut all = vec![Self::Scalar];
        all.extend((Self::best() != Self::Scalar).then(Self::best));
        #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
        if std::arch::is_x86_feature_detected!("sse4.1") {
            // SAFETY: the processor has SSE4.1, and SSE3 with it; see [`Self::best`].
            all.push(Self::Sse41(unsafe { Sse41::new() }));
        }
        all
    }
}

/// Threads of the host, for tests and for measuring.
pub struct Threads(pub usize);

// SAFETY: a scope starts each call once and ends when all have; ending a thread synchronizes.
unsafe impl Workers for Threads {
    fn size(&self) -> usize {
        self.0
    }

    fn run(&self, job: &(dyn Fn() + Sync)) {
        std::thread::scope(|scope| {
            for _ in 1..self.0 {
                scope.spawn(job);
            }
            job();
        });
    }
}
