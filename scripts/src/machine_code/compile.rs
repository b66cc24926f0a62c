//! Compiles the programs of the bare machine: a cargo inside cargo, for 16-bit x86.
use std::{
    env,
    ffi::OsString,
    fs, io,
    path::{Path, PathBuf},
    process::Command,
};

use map::low_memory::{LEAST_STACK, STACK_TOP};

/// A program of the bare machine.
#[derive(Clone, Copy, Debug)]
pub struct Program {
    /// Cargo's name of its package.
    pub package: &'static str,
    /// Name of the binary.
    pub binary: &'static str,
    /// The feature without which the binary is left out, so that `cargo build` works on a host.
    pub feature: &'static str,
    /// Its linker script, from the workspace on.
    pub linker_script: &'static str,
    /// What else its linker is told.
    pub linker_arguments: &'static [&'static str],
    /// Whether each panic becomes one `ud2`, without its message. The boot sector must have no panic
    /// at all, and its link proves it.
    pub immediate_abort: bool,
}

/// The boot sector.
pub const STAGE1: Program = Program {
    package: "unreallm-stage1",
    binary: "stage1",
    feature: "boot",
    linker_script: "stage1/link.ld",
    linker_arguments: &[],
    immediate_abort: false,
};
/// The loader.
pub const LOADER: Program = in_unreal_mode("unreallm-loader", "loader");
/// The kernel.
pub const KERNEL: Program = in_unreal_mode("unreallm-kernel", "kernel");
/// The 1356-byte mode.
pub const SECTORLLM: Program = in_unreal_mode("unreallm-kernel", "sectorllm");
/// The benchmark.
pub const BENCH: Program = in_unreal_mode("unreallm-kernel", "bench");

/// A program that the boot sector or the loader starts.
const fn in_unreal_mode(package: &'static str, binary: &'static str) -> Program {
    Program {
        package,
        binary,
        feature: "machine",
        linker_script: "kernel/pc/program.ld",
        // Data and code are each linked near 0. Functions with the same instructions become one.
        linker_arguments: &["--no-check-sections", "--icf=all"],
        immediate_abort: true,
    }
}

/// Why a program of the bare machine could not be compiled.
#[derive(Debug, thiserror::Error)]
pub enum CompileError {
    /// cargo could not be started.
    #[error("cargo ({program:?}) could not be started to build the machine's code: {cause}")]
    Start {
        /// What was to be started.
        program: OsString,
        /// Why not.
        cause: io::Error,
    },
    /// cargo ran and failed.
    #[error("cargo could not build {binary} for the bare machine; it said:\n{output}")]
    Failed {
        /// The binary to be built.
        binary: &'static str,
        /// cargo's messages.
        output: String,
    },
    /// The program was built, but cannot be read.
    #[error("cargo built {path}, but it cannot be read: {cause}")]
    Read {
        /// The ELF file.
        path: PathBuf,
        /// Why not.
        cause: io::Error,
    },
}

/// Compiles a program and returns its ELF file.
///
/// `root` is the workspace, `target_dir` where cargo keeps what it built (not the outer cargo's:
/// that one is locked while a build script runs), `features` are added to the program's own.
///
/// # Errors
/// What cargo said, where it failed.
pub fn compile(
    root: &Path,
    target_dir: &Path,
    program: Program,
    features: &[&str],
) -> Result<Vec<u8>, CompileError> {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(&cargo);
    clear_environment(&mut command);
    command
        .current_dir(root)
        .args(["rustc", "--profile", "machine", "--package", program.package, "--bin", program.binary])
        .args(["--features", &[&[program.feature], features].concat().join(",")])
        .arg("--target-dir")
        .arg(target_dir)
        // A JSON target and core built from source: the prebuilt core is 32-bit code.
        .args(["--target", ".cargo/code16.json", "-Zjson-target-spec", "-Zbuild-std=core,alloc"])
        .arg("-Zbuild-std-features=optimize_for_size")
        // Panic messages name files relative to their package, not the builder's folders.
        .args(["-Ztrim-paths", "--config", "profile.machine.trim-paths='all'"])
        .env("CARGO_ENCODED_RUSTFLAGS", rust_flags("crates"));
    if program.immediate_abort {
        command.args(["-Zpanic-immediate-abort", "--config", "profile.machine.panic='immediate-abort'"]);
    }
    // By relocations tests/tests/disassembly.rs tells the addresses of statics from constants.
    let script = format!("-T{}", root.join(program.linker_script).display());
    let (top, least) =
        (format!("--defsym=__stack_top={STACK_TOP}"), format!("--defsym=__least_stack={LEAST_STACK}"));
    // LLVM puts a function into its callers up to this cost, else up to 5: in 16-bit code a call alone takes 6 bytes.
    command.args(["--", "-Cllvm-args=-inline-threshold=12"]);
    for argument in [&[&*script, &top, &least, "--emit-relocs"], program.linker_arguments].concat() {
        command.arg(format!("-Clink-arg={argument}"));
    }
    let output = command.output().map_err(|cause| CompileError::Start { program: cargo, cause })?;
    if !output.status.success() {
        let output = String::from_utf8_lossy(&output.stderr).into_owned();
        return Err(CompileError::Failed { binary: program.binary, output });
    }
    let path = target_dir.join("code16/machine").join(program.binary);
    fs::read(&path).map_err(|cause| CompileError::Read { path, cause })
}

/// The compiler's flags. Some name the crates' sources the same wherever they came from. -Ztrim-paths leaves the
/// registry's folder, which has another name where a user has a mirror.
fn rust_flags(name: &str) -> OsString {
    let home = env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(Path::new(&env::var_os("HOME")?).join(".cargo")));
    let registries = home.and_then(|home| fs::read_dir(home.join("registry/src")).ok());
    // No program of the machine prints a {:?}; the code for it would come along all the same.
    let mut flags = OsString::from("-Zfmt-debug=none");
    for registry in registries.into_iter().flatten().flatten() {
        flags.push("\x1f"); // what cargo puts between two flags
        flags.push("--remap-path-prefix=");
        flags.push(registry.path());
        flags.push("=");
        flags.push(name);
    }
    flags
}

/// Takes away what the outer cargo, or a user's settings for host programs, put into the
/// environment: flags for another target, clippy's compiler wrapper, this package's `CARGO_PKG_*`.
/// What cargo needs to find its own files and registry, and its job server, stays.
fn clear_environment(command: &mut Command) {
    const KEPT: [&str; 4] = ["CARGO_HOME", "CARGO_MAKEFLAGS", "CARGO_NET_", "CARGO_REGISTR"];
    const BUILD_SCRIPT: [&str; 7] =
        ["TARGET", "HOST", "OPT_LEVEL", "PROFILE", "DEBUG", "NUM_JOBS", "OUT_DIR"];
    for (name, _) in env::vars_os() {
        let Some(name) = name.to_str() else { continue };
        let cargos = name.starts_with("CARGO_") && !KEPT.iter().any(|kept| name.starts_with(kept));
        let rustcs =
            name.starts_with("RUSTC") || name.starts_with("RUSTFLAGS") || name.starts_with("RUSTDOC");
        if cargos || rustcs || BUILD_SCRIPT.contains(&name) {
            command.env_remove(name);
        }
    }
}
