//! The choice of a kernel: the fastest one that calculates right on this CPU.
use crate::cpu::Cpu;
use crate::println;
use model::matmul::Kernel;
use model::self_test::fingerprint;

/// Tries the CPU's kernels, the fastest first, and names each one that fails. What needs no SIMD is left
/// at the end.
pub fn choose_kernel(cpu: &Cpu) -> Kernel {
    for kernel in cpu.kernels() {
        if is_right(kernel) {
            return kernel;
        }
        println!("cpu     {kernel} calculates wrong here and is left out");
    }
    Kernel::Scalar
}

fn is_right(kernel: Kernel) -> bool {
    // For one test: a machine whose SIMD is broken must be noticed.
    let broken = u32::from(cfg!(feature = "break-simd"));
    fingerprint(kernel) ^ broken == fingerprint(Kernel::Scalar)
}
