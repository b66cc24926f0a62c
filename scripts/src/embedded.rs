//! What the host program carries: the machine's code, and the model that ships with the project.
use crate::machine_code::{MachineCode, flatten::Sizes};

/// The boot sector and the kernel that the build script made.
pub fn machine_code() -> MachineCode {
    let sizes: Sizes = include!(concat!(env!("OUT_DIR"), "/sizes.rs"));
    MachineCode {
        stage1: include_bytes!(concat!(env!("OUT_DIR"), "/stage1.bin")).to_vec(),
        kernel: include_bytes!(concat!(env!("OUT_DIR"), "/kernel.bin")).to_vec(),
        sizes,
    }
}

/// The name of the model that ships with the project.
pub const MODEL_NAME: &str = "bedtime260K";
/// Its checkpoint: llama2.c's format, version 0.
pub static CHECKPOINT: &[u8] = include_bytes!("../../model/bedtime260K/bedtime260K.bin");
/// Its tokenizer: 512 pieces.
pub static TOKENIZER: &[u8] = include_bytes!("../../model/bedtime260K/bedtime260K.tok.bin");
