//! The same engine as a program of the host: one thread, the host's own SIMD.
use std::time::Instant;

use model::{engine::Engine, int8::Int8, load_only, packed::Model, sampler::argmax, simd::Simd};
use protocol::benchmark::Measured;

use super::{BenchError, subject::Subject};

/// Tokens a second, and passes that only load the weights, in one run.
pub struct Hosted {
    /// Tokens of a greedy story from position 0 on.
    pub story: Measured,
    /// Bytes of one pass over the weights.
    pub load_only: Measured,
}

/// Measures once: `steps` tokens, and before and after them passes that only load.
///
/// # Errors
/// Where there is no memory for the engine.
pub fn measure(subject: &Subject, steps: usize) -> Result<Hosted, BenchError> {
    let model = || subject.packed.model().expect("packed for it");
    let simd = Simd::best();
    let steps = steps.min(model().shape.seq_len);
    let mut engine = Int8::new(model(), steps, simd)?;
    let mut passes = load_only_passes(&model(), simd);
    let mut token = subject.start;
    let start = Instant::now();
    for pos in 0..steps {
        token = argmax(engine.forward(token, pos));
    }
    let story = Measured { count: steps as u64, micros: start.elapsed().as_micros() as u64 };
    passes.extend(load_only_passes(&model(), simd));
    passes.sort_unstable();
    let count = load_only::weight_bytes(&model());
    let load_only = Measured { count, micros: passes[passes.len() / 2] };
    Ok(Hosted { story, load_only })
}

/// Microseconds of a few passes.
fn load_only_passes(model: &Model, simd: Simd) -> Vec<u64> {
    let pass = |_| {
        let start = Instant::now();
        std::hint::black_box(load_only::pass(model, simd));
        start.elapsed().as_micros() as u64
    };
    (0..20).map(pass).collect()
}
