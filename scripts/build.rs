//! Builds the boot sector, the loader and what may follow it (the kernel, the 1356-byte mode, the benchmark) for the
//! bare machine, checks that they fit, and leaves them for `src/embedded.rs` to put into the host program.
use std::{
    env, fs,
    path::{Path, PathBuf},
    process::exit,
};

#[path = "src/machine_code/mod.rs"]
#[allow(dead_code)] // the host program uses the rest
mod machine_code;

use machine_code::{
    MachineCode, MachineCodeError, Program,
    compile::{BENCH, SECTORLLM},
};

/// What the machine's code is made from. A folder stands for all in it.
const SOURCES: [&str; 10] = [
    "stage1",
    "kernel",
    "model/src",
    "model/Cargo.toml",
    "scripts/src/machine_code",
    "scripts/build.rs",
    ".cargo",
    "Cargo.toml",
    "Cargo.lock",
    "rust-toolchain.toml",
];

fn main() {
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    let package = env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets CARGO_MANIFEST_DIR");
    let root = Path::new(&package).parent().expect("this package lies in the workspace");
    for source in SOURCES {
        println!("cargo:rerun-if-changed={}", root.join(source).display());
    }
    let target_dir = root.join("target/machine");
    let build = || {
        let code = MachineCode::from_source(root, &target_dir, &[])?;
        let program = |program| Program::from_source(root, &target_dir, program, &code.loader);
        let (sectorllm, bench) = (program(SECTORLLM)?, program(BENCH)?);
        Ok::<_, MachineCodeError>((code, sectorllm, bench))
    };
    let (code, sectorllm, bench) = build().unwrap_or_else(|error| {
        eprintln!("{error}");
        exit(1)
    });
    let write = |name: &str, bytes: &[u8]| fs::write(out.join(name), bytes).expect("OUT_DIR can be written");
    write("stage1.bin", &code.stage1);
    for (name, program) in
        [("loader", code.loader), ("kernel", code.kernel), ("sectorllm", sectorllm), ("bench", bench)]
    {
        write(&format!("{name}.bin"), &program.file);
        // As Rust source: `Sizes { code: 1, ... }` is what its Debug form gives.
        write(&format!("{name}.sizes.rs"), format!("{:?}", program.sizes).as_bytes());
    }
}
