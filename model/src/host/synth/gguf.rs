//! Random GGUF files, of every type that is read.
use super::shapes::{self, ShapeTextError, parse_shape};
use super::tokenizer::{SmallVocabulary, Tokenizer};
use super::{number, uniform};
use crate::host::checkpoint::{LLAMA2C_EPSILON, LLAMA2C_ROPE_BASE, Weight, gguf::weight_of};
use crate::host::gguf::{GgufError, GgufWriter, LlamaConfig, TensorInfo, TensorType, quantize};
use crate::sampler::Random;
use crate::shape::Shape;
use rayon::prelude::*;
use std::io::{self, Write};
use thiserror::Error;

/// Numbers that are made, and quantized, at once: whole blocks of every type.
const PIECE: usize = 1 << 16;
/// Pieces that are in memory at once.
const PIECES: usize = 64;

/// A model to be written.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct SyntheticGguf {
    /// Its sizes, and its RoPE.
    pub config: LlamaConfig,
    /// Its tokenizer.
    pub tokenizer: Tokenizer,
}

/// Why a model cannot be written.
#[derive(Debug, Error)]
pub enum GgufSynthError {
    /// Too few tokens.
    #[error(transparent)]
    Vocabulary(#[from] SmallVocabulary),
    /// The file cannot be written, or a type's blocks do not divide a tensor's rows.
    #[error(transparent)]
    Gguf(#[from] GgufError),
}

impl SyntheticGguf {
    /// A model of the shape that a text names ([`parse_shape`]). A shape of numbers is like llama2.c's.
    pub fn of_shape(text: &str) -> Result<Self, ShapeTextError> {
        let shape = parse_shape(text)?;
        let named = shapes::find(text);
        let config = LlamaConfig {
            context_length: shape.seq_len,
            embedding_length: shape.dim,
            block_count: shape.n_layers,
            feed_forward_length: shape.hidden_dim,
            head_count: shape.n_heads,
            head_count_kv: shape.n_kv_heads,
            head_size: shape.head_size,
            vocab_size: shape.vocab_size,
            epsilon: LLAMA2C_EPSILON as f32, // that of the other named shapes, too
            rope_base: named.map_or(LLAMA2C_ROPE_BASE, |named| named.rope_base) as f32,
            rope_factor: 1.0,
            rope_freqs: named.is_some_and(|named| named.rope_freqs),
            tied: shape.shared_classifier,
        };
        Ok(Self { config, tokenizer: named.map_or(Tokenizer::LLAMA, |named| named.tokenizer) })
    }

    /// Writes the file, a few pieces of a tensor at a time. `type_of` is asked for each matrix, by its name
    /// and the length of its rows; all else is F32.
    pub fn write<W: Write>(
        &self,
        seed: u64,
        type_of: impl Fn(&str, usize) -> TensorType,
        out: &mut W,
    ) -> Result<(), GgufSynthError> {
        let mut metadata = self.config.metadata();
        metadata.push("general.name", "random weights");
        self.tokenizer.push_to(&mut metadata, self.config.vocab_size)?;
        let mut writer = GgufWriter::new(metadata);
        for (name, dims) in self.config.tensors() {
            let tensor_type = if dims.len() == 1 { TensorType::F32 } else { type_of(&name, dims[0]) };
            writer.add(&name, &dims, tensor_type)?;
        }
        let shape = self.config.shape();
        let mut written = 0;
        writer.write(out, |tensor, out| {
            written += 1;
            match weight_of(&tensor.name) {
                Some(weight) => write_tensor(&shape, weight, tensor, [seed, written], out),
                None => {
                    let divisors = llama3_divisors(&self.config);
                    out.write_all(bytemuck::cast_slice(&divisors))
                }
            }
        })?;
        Ok(())
    }
}

/// Writes a tensor, whose numbers follow from seed and number.
fn write_tensor(
    shape: &Shape,
    weight: Weight,
    tensor: &TensorInfo,
    seed: [u64; 2],
    out: &mut dyn Write,
) -> io::Result<()> {
    let number = number(weight, shape);
    let numbers = tensor.rows() * tensor.columns();
    let piece = |piece: usize| {
        let mut random = Random::new(seed_of([seed[0], seed[1], piece as u64]));
        let length = PIECE.min(numbers - piece * PIECE);
        let numbers: Vec<f32> = (0..length).map(|_| number(uniform(&mut random))).collect();
        quantize(tensor.tensor_type, &numbers).map_err(io::Error::other)
    };
    let pieces = numbers.div_ceil(PIECE);
    for first in (0..pieces).step_by(PIECES) {
        let some = (first..pieces.min(first + PIECES)).into_par_iter().map(piece);
        for bytes in some.collect::<io::Result<Vec<_>>>()? {
            out.write_all(&bytes)?;
        }
    }
    Ok(())
}

/// A seed of several numbers: each goes through SplitMix64's finalizer (Steele, Lea and Flood, "Fast
/// Splittable Pseudorandom Number Generators"), so that neighbours have nothing in common.
fn seed_of(numbers: [u64; 3]) -> u64 {
    numbers.into_iter().fold(0, |state: u64, number| {
        let mut z = state.wrapping_add(number).wrapping_add(0x9E37_79B9_7F4A_7C15); // 2^64 / golden ratio
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    })
}

/// What RoPE's frequencies are divided by in Llama 3.2 (`rope_scaling` in its config.json, Hugging Face's
/// `_compute_llama3_parameters`): the long waves by the factor, the short ones not, between them in part.
fn llama3_divisors(config: &LlamaConfig) -> Vec<f32> {
    const FACTOR: f64 = 32.0;
    const LOW: f64 = 1.0;
    const HIGH: f64 = 4.0;
    const TRAINED_CONTEXT: f64 = 8192.0;
    let pairs = config.head_size / 2;
    let divisor = |pair: usize| {
        let turn = f64::from(config.rope_base).powf(pair as f64 / pairs as f64);
        let waves = TRAINED_CONTEXT / (std::f64::consts::TAU * turn); // in the trained context
        let short = ((waves - LOW) / (HIGH - LOW)).clamp(0.0, 1.0);
        1.0 / (short + (1.0 - short) / FACTOR)
    };
    (0..pairs).map(|pair| divisor(pair) as f32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crc32::crc32;
    use crate::host::checkpoint::Checkpoint;
    use crate::host::synth::FileType;
    use std::io::Cursor;

    const WIDE_HEADS: &str = "256,512,2,4,2,-300,64";

    fn file(model: &SyntheticGguf, file_type: FileType) -> Vec<u8> {
        let mut file = Vec::new();
        let type_of = |tensor: &str, columns| file_type.tensor_type(&model.config, tensor, columns);
        model.write(1, type_of, &mut file).unwrap();
        file
    }

    /// The most that a type may change uniform numbers, as a share of their squares. Codes of so many bits change
    /// them by 1 / (2^bits - 1)^2; a bit less, as scales are counted here too, makes that four times as much.
    fn most_error(tensor_type: TensorType) -> f64 {
        let bits = 8 * tensor_type.block_bytes() / tensor_type.block_elements();
        5.0 / f64::from((1 << bits.min(8)) - 1).powi(2)
    }

    #[test]
    fn what_is_written_is_read_back() {
        let mut model = SyntheticGguf::of_shape(WIDE_HEADS).unwrap();
        model.config.head_size = 96; // not dim / heads
        model.config.rope_freqs = true;
        let exact = file(&model, FileType::All(TensorType::F32));
        let mut exact = Checkpoint::open(Cursor::new(exact)).unwrap();
        for file_type in FileType::all() {
            let mut read = Checkpoint::open(Cursor::new(file(&model, file_type))).unwrap();
            assert_eq!(read.config(), exact.config());
            for (weight, layer, name) in [
                (Weight::TokenEmbedding, 0, "token_embd.weight"),
                (Weight::Wv, 0, "blk.0.attn_v.weight"),
                (Weight::Wo, 1, "blk.1.attn_output.weight"),
                (Weight::W2, 1, "blk.1.ffn_down.weight"),
                (Weight::Classifier, 0, "output.weight"),
            ] {
                let Checkpoint::Gguf(gguf) = &read else { panic!("a GGUF") };
                assert_eq!(gguf.vocabulary().unwrap().tokens.len(), 300);
                let tensor = gguf.gguf().tensor(name).unwrap();
                let tensor_type = tensor.tensor_type;
                assert_eq!(tensor_type, file_type.tensor_type(&model.config, name, tensor.columns()));
                let (read, exact) = (read.read(weight, layer).unwrap(), exact.read(weight, layer).unwrap());
                let error = |(a, b): (&f32, &f32)| f64::from(a - b).powi(2);
                let error: f64 = read.iter().zip(&exact).map(error).sum();
                let error = error / exact.iter().map(|&b| f64::from(b).powi(2)).sum::<f64>();
                assert!(error <= most_error(tensor_type), "{tensor_type:?} {name}: {error}");
            }
            assert_eq!(read.read(Weight::RmsFfn, 1).unwrap(), exact.read(Weight::RmsFfn, 1).unwrap());
        }
    }

    #[test]
    fn weights_are_as_large_as_those_of_checkpoints() {
        let model = SyntheticGguf::of_shape("260K").unwrap();
        let mut gguf = Checkpoint::open(Cursor::new(file(&model, FileType::All(TensorType::F32)))).unwrap();
        let mut checkpoint = Vec::new();
        super::super::write_checkpoint(&gguf.shape(), 1, &mut checkpoint).unwrap();
        let mut checkpoint = Checkpoint::open(Cursor::new(checkpoint)).unwrap();
        assert_eq!(gguf.shape(), checkpoint.shape());
        for weight in [Weight::TokenEmbedding, Weight::Wk, Weight::Wo, Weight::W2, Weight::RmsAtt] {
            let [a, b] = [gguf.read(weight, 0).unwrap(), checkpoint.read(weight, 0).unwrap()]
                .map(|numbers| numbers.iter().map(|n| n * n).sum::<f32>() / numbers.len() as f32);
            assert!((a / b - 1.0).abs() < 0.15, "{weight:?}: {a} {b}");
        }
    }

    #[test]
    fn the_file_of_a_seed_never_changes() {
        let model = SyntheticGguf::of_shape(WIDE_HEADS).unwrap();
        assert_eq!(crc32(&file(&model, FileType::Q4KM)), 1_713_754_346);
    }

    /// The divisors that llama.cpp's converter puts into Llama 3.2's GGUF begin with ones and end with 32s.
    #[test]
    fn long_waves_are_divided() {
        let divisors = llama3_divisors(&SyntheticGguf::of_shape("Llama-3.2-1B").unwrap().config);
        assert_eq!(divisors.len(), 32);
        assert!(divisors[..15].iter().all(|&divisor| divisor == 1.0), "{divisors:?}");
        assert!(divisors[18..].iter().all(|&divisor| divisor == 32.0), "{divisors:?}");
        assert!(divisors.is_sorted());
    }
}
