//! What a model takes of the memory, known from its header alone.
use crate::engine::EngineKind;
use crate::int8::Int8;
use crate::packed::PackedHeader;
use crate::sampler::Sampler;
use crate::sectorllm::Sectorllm;

/// Bytes that a model takes in memory.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Memory {
    /// Weights, tables and vocabulary.
    pub weights: u64,
    /// The key/value cache: one vector, of [`Operand`](crate::simd::Operand)s or as they are aligned.
    pub kv_cache: u64,
    /// Everything that the engine works in.
    pub activations: u64,
    /// What chooses tokens: the sampler's lists.
    pub text: u64,
}

impl Memory {
    /// All of it.
    pub fn total(&self) -> u64 {
        self.weights + self.kv_cache + self.activations + self.text
    }
}

impl PackedHeader {
    /// Bytes of memory that the model takes with a context of so many tokens.
    pub fn memory(&self, context: usize) -> Memory {
        let (kv_cache, activations) = match self.engine {
            EngineKind::Int8 => Int8::memory(&self.shape, context),
            EngineKind::Sectorllm => Sectorllm::memory(context),
        };
        let text = Sampler::memory(self.shape.vocab_size);
        Memory { weights: self.payload_bytes(), kv_cache, activations, text }
    }
}
