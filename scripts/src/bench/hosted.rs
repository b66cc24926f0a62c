//! The same engine as a program of the host: one thread, the host's own SIMD.
use std::time::Instant;

use model::{
    engine::Engine, floor, int8::Int8, matmul::Kernel, measurement::Measured, packed::Model, sampler::argmax,
    tokenizer::BOS,
};

use super::{BenchError, subject::Subject};

/// Tokens a second, and the host's load floor, in one run.
pub struct Hosted {
    /// Tokens of a greedy story from position 0 on.
    pub story: Measured,
    /// Bytes of one pass over the weights.
    pub floor: Measured,
}

/// Measures once: `steps` tokens, and before and after them passes of the floor.
///
/// # Errors
/// Where there is no memory for the engine.
pub fn measure(subject: &Subject, steps: usize) -> Result<Hosted, BenchError> {
    let model = &subject.model;
    let kernel = Kernel::best();
    let steps = steps.min(model.shape.seq_len);
    let mut engine = Int8::new(model, steps, kernel)?;
    let mut passes = floor_passes(model, kernel);
    let mut token = BOS;
    let start = Instant::now();
    for pos in 0..steps {
        token = argmax(engine.forward(token, pos)?);
    }
    let story = Measured { count: steps as u64, micros: start.elapsed().as_micros() as u64 };
    passes.extend(floor_passes(model, kernel));
    passes.sort_unstable();
    let floor = Measured { count: floor::weight_bytes(model), micros: passes[passes.len() / 2] };
    Ok(Hosted { story, floor })
}

/// Microseconds of a few passes.
fn floor_passes(model: &Model, kernel: Kernel) -> Vec<u64> {
    let pass = |_| {
        let start = Instant::now();
        std::hint::black_box(floor::pass(model, kernel));
        start.elapsed().as_micros() as u64
    };
    (0..20).map(pass).collect()
}
