//! Disassembles the programs of the machine.
use std::{fs, path::Path};

use iced_x86::CpuidFeature::{CMOV, CPUID, SSE, SSE2, SSE3, SSE4_1, TSC};
use machine::disassembly::{Permit, Program};
use unreallm as _; // its build script has made the programs

/// What may be used, and where: each of these runs only where CPUID says that it is there, and CPUID only
/// where the flag that a 486 lacks can be changed.
const PERMITS: &[Permit] = &[
    Permit { function: "::sse2", features: &[SSE, SSE2, CMOV] },
    Permit { function: "::sse41::", features: &[SSE, SSE2, SSE3, SSE4_1, CMOV] },
    Permit { function: "::sse41_groups::", features: &[SSE, SSE2, SSE3, SSE4_1, CMOV] },
    // `Cpu::detect`, the clock's calibration and the times of the choice of SIMD are parts of it.
    Permit { function: "loader::main", features: &[CPUID, TSC] },
    Permit { function: "loader::choose_simd", features: &[CPUID, TSC] },
    Permit { function: "<pc::clock::Clock>::", features: &[TSC] },
    // Only where the clock is the TSC does a processor stay awake by it.
    Permit { function: "<pc::processors::workers::Worker>::", features: &[TSC] },
    Permit { function: "<kernel::workers::MachineWorkers as ", features: &[TSC] },
];

/// The ELF files lie where the host program's build script has left them.
fn elf(binary: &str) -> Vec<u8> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace is above");
    let path = root.join("target/machine/code16/machine").join(binary);
    fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn is_clean(binary: &str) {
    let program = Program::read(&elf(binary)).unwrap_or_else(|error| panic!("{binary}: {error}"));
    let list: Vec<String> = program.findings(PERMITS).iter().map(ToString::to_string).collect();
    assert!(list.is_empty(), "{binary}:\n{}", list.join("\n"));
}

#[test]
fn the_boot_sector_is_clean() {
    is_clean("stage1");
}

#[test]
fn the_loader_is_clean() {
    is_clean("loader");
}

#[test]
fn the_kernel_is_clean() {
    is_clean("kernel");
}

#[test]
fn the_benchmark_is_clean() {
    is_clean("bench");
}

#[test]
fn the_1356_byte_mode_is_clean() {
    is_clean("sectorllm");
}
