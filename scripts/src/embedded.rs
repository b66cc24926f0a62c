//! What the host program carries: the machine's code, and the model that ships with the project.
use model::engine::EngineKind;

use crate::machine_code::{MachineCode, Program, flatten::Sizes};

macro_rules! program {
    ($name:literal) => {
        Program {
            file: include_bytes!(concat!(env!("OUT_DIR"), "/", $name, ".bin")).to_vec(),
            sizes: include!(concat!(env!("OUT_DIR"), "/", $name, ".sizes.rs")),
        }
    };
}

/// What the build script made, with the kernel for an engine.
pub fn machine_code_for(engine: EngineKind) -> MachineCode {
    match engine {
        EngineKind::Int8 => machine_code(),
        EngineKind::Sectorllm => MachineCode { kernel: program!("sectorllm"), ..machine_code() },
    }
}

/// The same with the kernel.
pub fn machine_code() -> MachineCode {
    MachineCode {
        stage1: include_bytes!(concat!(env!("OUT_DIR"), "/stage1.bin")).to_vec(),
        loader: program!("loader"),
        kernel: program!("kernel"),
    }
}

/// The same with the benchmark in the kernel's place.
pub fn bench_code() -> MachineCode {
    MachineCode { kernel: program!("bench"), ..machine_code() }
}

/// The name of the model that ships with the project.
pub const MODEL_NAME: &str = "bedtime260K";
/// Its checkpoint: llama2.c's format, version 0.
pub static CHECKPOINT: &[u8] = include_bytes!("../../model/bedtime260K/bedtime260K.bin");
/// Its tokenizer: 512 pieces.
pub static TOKENIZER: &[u8] = include_bytes!("../../model/bedtime260K/bedtime260K.tok.bin");
