//! How many fraction bits the residual stream of a model can have.
//!
//! The stream's largest value is that of a few channels at the first position, and differs from model to model by
//! powers of two. So the engine runs, with few fraction bits, over single tokens at the first position and over a
//! text that the model writes itself, and what it sees decides, with room to spare.
use crate::engine::Engine;
use crate::int8::Int8;
use crate::packed::{Kind, Packed};
use crate::phase::{Phase, Stopwatch};
use crate::sampler::argmax;
use crate::simd::Simd;
use rayon::prelude::*;
use std::cell::Cell;

/// Fraction bits while it is measured: values up to 2^21 are seen.
const MEASURING_BITS: i32 = 10;
/// The most that are taken: Q16.16.
const MOST_BITS: i32 = 16;
/// The fewest that are taken.
const FEWEST_BITS: i32 = 4;
/// So many times what was seen must fit.
const HEADROOM: u64 = 2;
/// Tokens that are read alone, evenly spread over the vocabulary, whose first tokens are often special ones.
const SINGLE_TOKENS: usize = 384;
/// The first tokens of the vocabulary, which are all read alone.
const FIRST_TOKENS: usize = 64;
/// Tokens of text that the model writes.
const WRITTEN_TOKENS: usize = 128;

/// The largest magnitude that the residual stream had.
#[derive(Default)]
struct Peak(Cell<u32>);

impl Stopwatch for Peak {
    fn lap(&self, _: Phase) {}

    fn residual(&self, x: &[i32]) {
        let largest = x.iter().map(|x| x.unsigned_abs()).max().unwrap_or_default();
        self.0.set(self.0.get().max(largest));
    }
}

/// Finds the bits for a model that was packed with any, and gives it them. `progress` is told of each token of
/// how many.
pub fn calibrate(packed: &mut Packed, progress: impl Fn(u64, u64) + Sync) -> i32 {
    set_residual_bits(packed, MEASURING_BITS);
    let vocab_size = packed.header.shape.vocab_size;
    let step = (vocab_size / SINGLE_TOKENS).max(1);
    let mut alone: Vec<u32> = (0..vocab_size.min(FIRST_TOKENS) as u32).collect();
    alone.extend((FIRST_TOKENS..vocab_size).step_by(step).map(|token| token as u32));
    let written = WRITTEN_TOKENS.min(packed.header.shape.seq_len);
    let total = (alone.len() + written) as u64;
    let single = alone.par_chunks(alone.len().div_ceil(rayon::current_num_threads().max(1))).map(|tokens| {
        peak_of(packed, 1, |engine| {
            for &token in tokens {
                engine.read(token, 0);
                progress(1, total);
            }
        })
    });
    let text = || {
        peak_of(packed, written, |engine| {
            let start = packed.text().ok().and_then(|text| text.vocabulary.start());
            let mut token = start.unwrap_or_default();
            for pos in 0..written {
                token = argmax(engine.forward(token, pos));
                progress(1, total);
            }
        })
    };
    let (single, text) = rayon::join(|| single.max().unwrap_or_default(), text);
    let bits = bits_for(u64::from(single.max(text)));
    set_residual_bits(packed, bits);
    bits
}

/// The peak while `work` has an engine for `context` positions.
fn peak_of(packed: &Packed, context: usize, work: impl FnOnce(&mut dyn Engine)) -> u32 {
    let peak = Peak::default();
    let model = packed.model().expect("a model for the int8 engine");
    let mut engine = Int8::measured(model, context, Simd::best(), &peak).expect("there is memory");
    work(&mut engine);
    drop(engine);
    peak.0.get()
}

/// The most fraction bits with which [`HEADROOM`] times `peak` (with [`MEASURING_BITS`]) fits i32.
fn bits_for(peak: u64) -> i32 {
    let room = ((i32::MAX as u64) << MEASURING_BITS) / (HEADROOM * peak.max(1));
    (room.max(1).ilog2() as i32).clamp(FEWEST_BITS, MOST_BITS)
}

/// Gives a packed model other fraction bits. Weights and scales stay: only what is written into the stream is
/// shifted otherwise.
pub fn set_residual_bits(packed: &mut Packed, bits: i32) {
    packed.header.norm.residual_bits = bits;
    for entry in &mut packed.header.entries {
        if matches!(entry.kind, Kind::Embedding | Kind::Wo | Kind::W2) {
            entry.fraction_bits = bits;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn twice_the_peak_fits() {
        for peak in [1, 300, 70_000, 31_500_288, 1 << 30] {
            let bits = bits_for(peak);
            let largest = (2 * peak) << (bits - FEWEST_BITS) >> (MEASURING_BITS - FEWEST_BITS);
            assert!(largest <= i32::MAX as u64 || bits == FEWEST_BITS, "{peak}: {bits}");
        }
        // SmolLM2's 30,762.
        assert_eq!(bits_for(30_762 << MEASURING_BITS), 15);
        assert_eq!(bits_for(100 << MEASURING_BITS), 16);
    }
}
