//! The choice of SIMD instructions: the fastest that calculate right on this CPU.
use model::simd::self_test::fingerprint;
use model::simd::{Simd, Sse2, Sse41};
use pc::cpu::{Cpu, Features};
use pc::println;

/// Tries the SIMD instructions that the CPU has, the fastest first, and names those that fail. What needs
/// none is left at the end.
pub fn choose_simd(cpu: &Cpu) -> Simd {
    for simd in usable(cpu) {
        if is_right(simd) {
            return simd;
        }
        println!("cpu     {simd} calculates wrong here and is left out");
    }
    Simd::Scalar
}

/// The SIMD instructions that this CPU has, the fastest first, for after [`pc::cpu::set_up`].
fn usable(cpu: &Cpu) -> impl Iterator<Item = Simd> {
    let has_sse41 =
        cpu.has_sse2() && cpu.is_tcg() && cpu.features.contains(Features::SSE3 | Features::SSE4_1);
    // SAFETY: the CPU has all of SSE2 to SSE4.1, and `set_up` has switched it on.
    let sse41 = has_sse41.then(|| Simd::Sse41(unsafe { Sse41::new() }));
    // SAFETY: the CPU has SSE2, and `set_up` has switched it on.
    let sse2 = cpu.has_sse2().then(|| Simd::Sse2(unsafe { Sse2::new() }));
    sse41.into_iter().chain(sse2)
}

fn is_right(simd: Simd) -> bool {
    // For one test: a machine whose SIMD is broken must be noticed.
    let broken = u32::from(cfg!(feature = "break-simd"));
    fingerprint(simd) ^ broken == fingerprint(Simd::Scalar)
}
