//! Hands the linker its script when the boot sector itself is built.
use std::env;

fn main() {
    println!("cargo:rerun-if-changed=link.ld");
    println!("cargo:rerun-if-changed=build.rs");
    if env::var("CARGO_CFG_TARGET_OS").as_deref() == Ok("none") {
        let here = env::var("CARGO_MANIFEST_DIR").expect("cargo sets CARGO_MANIFEST_DIR");
        println!("cargo:rustc-link-arg-bins=-T{here}/link.ld");
        // By these tests/tests/disassembly.rs tells the addresses of statics from constants.
        println!("cargo:rustc-link-arg-bins=--emit-relocs");
    }
}
