//! A GGUF as a checkpoint: llama2.c's names for its tensors, and their numbers as fp32.
//!
//! Queries' and keys' rows come in the order of RoPE's pairs, as llama2.c has them: who converts a model to GGUF
//! puts them so.
use super::{CheckpointError, Config, Weight, rope_frequencies};
use crate::host::gguf::{
    Codes, Gguf, GgufVocabulary, LlamaConfig, OUTPUT, ROPE_FREQS, TensorType, codes, dequantize,
};
use std::io::{Read, Seek};

/// Fraction bits of the residual stream of a model of which nothing else is known yet.
const FIRST_RESIDUAL_BITS: i32 = 16;

/// An open GGUF.
pub struct GgufCheckpoint<R> {
    reader: R,
    gguf: Gguf,
    config: Config,
}

impl<R: Read + Seek> GgufCheckpoint<R> {
    /// Reads the header, and what else the configuration needs.
    ///
    /// # Errors
    /// What is not read, or not run, by name.
    pub fn open(mut reader: R) -> Result<Self, CheckpointError> {
        let gguf = Gguf::read(&mut reader)?;
        let llama = LlamaConfig::of(&gguf)?;
        let shape = llama.shape();
        shape.check().map_err(CheckpointError::Shape)?;
        let mut rope_frequencies = rope_frequencies(llama.rope_base.into(), shape.head_size);
        let divisors = match llama.rope_freqs {
            true => tensor(&gguf, &mut reader, ROPE_FREQS)?,
            false => vec![1.0; rope_frequencies.len()],
        };
        for (frequency, divisor) in rope_frequencies.iter_mut().zip(divisors) {
            *frequency /= f64::from(divisor) * f64::from(llama.rope_factor);
        }
        let epsilon = llama.epsilon.into();
        let config = Config { shape, epsilon, rope_frequencies, residual_bits: FIRST_RESIDUAL_BITS };
        Ok(Self { reader, gguf, config })
    }

    /// What it says of its model.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The same, to be changed.
    pub fn config_mut(&mut self) -> &mut Config {
        &mut self.config
    }

    /// Its metadata and directory.
    pub fn gguf(&self) -> &Gguf {
        &self.gguf
    }

    /// Its tokenizer.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn vocabulary(&self) -> Result<GgufVocabulary, CheckpointError> {
        Ok(GgufVocabulary::of(&self.gguf.metadata)?)
    }

    /// Whether the file has this tensor.
    pub fn has(&self, weight: Weight) -> bool {
        name(weight, 0).is_some_and(|name| self.gguf.tensor(&name).is_some())
    }

    /// Reads one layer's tensor (layer 0 where there is only one).
    ///
    /// # Errors
    /// A tensor that is not there, a file that cannot be read.
    pub fn read(&mut self, weight: Weight, layer: usize) -> Result<Vec<f32>, CheckpointError> {
        let name =
            name(weight, layer).ok_or_else(|| CheckpointError::NoTensor { tensor: weight.name().into() })?;
        tensor(&self.gguf, &mut self.reader, &name)
    }

    /// How a tensor is stored; `None` where it is not there.
    pub fn tensor_type(&self, weight: Weight, layer: usize) -> Option<TensorType> {
        Some(self.gguf.tensor(&name(weight, layer)?)?.tensor_type)
    }

    /// Reads the codes of one layer's tensor; `None` where it is stored as numbers.
    ///
    /// # Errors
    /// As [`GgufCheckpoint::read`].
    pub fn codes(&mut self, weight: Weight, layer: usize) -> Result<Option<Codes>, CheckpointError> {
        let no_tensor = || CheckpointError::NoTensor { tensor: weight.name().into() };
        let name = name(weight, layer).ok_or_else(no_tensor)?;
        let info = self.gguf.tensor(&name).ok_or_else(no_tensor)?;
        let mut bytes = Vec::new();
        info.read_rows(&mut self.reader, 0..info.rows(), &mut bytes)?;
        Ok(codes(info.tensor_type, &bytes)?)
    }
}

/// A tensor's numbers.
fn tensor<R: Read + Seek>(gguf: &Gguf, reader: &mut R, name: &str) -> Result<Vec<f32>, CheckpointError> {
    let info = gguf.tensor(name).ok_or_else(|| CheckpointError::NoTensor { tensor: name.into() })?;
    let mut bytes = Vec::new();
    info.read_rows(reader, 0..info.rows(), &mut bytes)?;
    let mut numbers = vec![0.0; info.rows() * info.columns()];
    dequantize(info.tensor_type, &bytes, &mut numbers)?;
    Ok(numbers)
}

/// GGUF's names of a layer's tensors.
const IN_LAYER: [(Weight, &str); 9] = [
    (Weight::RmsAtt, "attn_norm"),
    (Weight::Wq, "attn_q"),
    (Weight::Wk, "attn_k"),
    (Weight::Wv, "attn_v"),
    (Weight::Wo, "attn_output"),
    (Weight::RmsFfn, "ffn_norm"),
    (Weight::W1, "ffn_gate"),
    (Weight::W2, "ffn_down"),
    (Weight::W3, "ffn_up"),
];

/// GGUF's names of the tensors that a model has once.
const ALONE: [(Weight, &str); 3] = [
    (Weight::TokenEmbedding, "token_embd.weight"),
    (Weight::RmsFinal, "output_norm.weight"),
    (Weight::Classifier, OUTPUT),
];

/// GGUF's name of a tensor; `None` for what it does not have.
fn name(weight: Weight, layer: usize) -> Option<String> {
    let name = gguf_name(weight)?;
    let alone = ALONE.iter().any(|(alone, _)| *alone == weight);
    Some(if alone { name.to_owned() } else { format!("blk.{layer}.{name}.weight") })
}

/// GGUF's name of a tensor, in a layer without what says the layer; `None` for what it does not have.
pub fn gguf_name(weight: Weight) -> Option<&'static str> {
    IN_LAYER.into_iter().chain(ALONE).find_map(|(named, name)| (named == weight).then_some(name))
}

/// The tensor of GGUF's name, of whatever layer; `None` for what is no weight.
pub fn weight_of(name: &str) -> Option<Weight> {
    let part = || name.strip_prefix("blk.")?.split_once('.')?.1.strip_suffix(".weight");
    let in_layer = || {
        let part = part()?;
        IN_LAYER.iter().find_map(|(weight, name)| (*name == part).then_some(*weight))
    };
    ALONE.iter().find_map(|(weight, alone)| (*alone == name).then_some(*weight)).or_else(in_layer)
}
