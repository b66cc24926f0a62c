//! How a GGUF's tensors are stored: one type for all matrices, or llama.cpp's mixes of types.
//!
//! Source: llama.cpp's src/llama-quant.cpp (`llama_tensor_get_type`).
use crate::host::gguf::{LlamaConfig, OUTPUT, TensorType};

/// A whole file's type, as llama.cpp's `llama-quantize` names it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FileType {
    /// All matrices of one type.
    All(TensorType),
    /// Q4_K, and Q6_K where it matters most.
    Q4KM,
    /// Q5_K, and Q6_K where it matters most.
    Q5KM,
}

impl FileType {
    /// All that there are: each type, then the mixes.
    pub fn all() -> impl Iterator<Item = Self> {
        TensorType::ALL.into_iter().map(Self::All).chain([Self::Q4KM, Self::Q5KM])
    }

    /// Its name: `Q8_0`, `Q4_K_M`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::All(tensor_type) => tensor_type.name(),
            Self::Q4KM => "Q4_K_M",
            Self::Q5KM => "Q5_K_M",
        }
    }

    /// The file type of a name, in any case.
    pub fn of_name(name: &str) -> Option<Self> {
        Self::all().find(|file_type| file_type.name().eq_ignore_ascii_case(name))
    }

    /// The type of a matrix with rows of `columns` numbers.
    pub fn tensor_type(self, config: &LlamaConfig, tensor: &str, columns: usize) -> TensorType {
        let (most, best) = match self {
            Self::All(tensor_type) => (tensor_type, tensor_type),
            Self::Q4KM => (TensorType::Q4K, TensorType::Q6K),
            Self::Q5KM => (TensorType::Q5K, TensorType::Q6K),
        };
        let is_better = match layer_and_part(tensor) {
            Some((layer, "attn_v" | "ffn_down")) => takes_more_bits(layer, config.block_count),
            Some(_) => false,
            // The classifier, also where it is the embedding.
            None => tensor == OUTPUT || config.tied,
        };
        that_divides(if is_better { best } else { most }, columns)
    }
}

/// `(3, "attn_v")` of `blk.3.attn_v.weight`; `None` of what is in no layer.
fn layer_and_part(tensor: &str) -> Option<(usize, &str)> {
    let (layer, part) = tensor.strip_prefix("blk.")?.split_once('.')?;
    Some((layer.parse().ok()?, part.strip_suffix(".weight")?))
}

/// llama.cpp's `use_more_bits`: the first and the last eighth of the layers, and each third between.
fn takes_more_bits(layer: usize, layers: usize) -> bool {
    let eighth = layers / 8;
    layer < eighth || layer >= 7 * layers / 8 || (layer - eighth) % 3 == 2
}

/// The type, or where its blocks do not divide the rows, the one that llama.cpp takes instead; F16 where
/// 32 does not divide them either. For Q2_K and Q3_K llama.cpp takes IQ4_NL, which is not read here: Q4_0.
fn that_divides(tensor_type: TensorType, columns: usize) -> TensorType {
    use TensorType::{F16, Q2K, Q3K, Q4_0, Q4K, Q5_0, Q5_1, Q5K, Q6K, Q8_0};
    let divides = |tensor_type: &TensorType| columns.is_multiple_of(tensor_type.block_elements());
    let instead = match tensor_type {
        Q2K | Q3K => Q4_0,
        Q4K => Q5_0,
        Q5K => Q5_1,
        Q6K => Q8_0,
        _ => F16,
    };
    [tensor_type, instead].into_iter().find(divides).unwrap_or(F16)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::synth::SyntheticGguf;

    #[test]
    fn names_are_those_of_llama_cpp() {
        let names: Vec<&str> = FileType::all().map(FileType::name).collect();
        let expected = "F32 F16 BF16 Q4_0 Q4_1 Q5_0 Q5_1 Q8_0 Q2_K Q3_K Q4_K Q5_K Q6_K Q4_K_M Q5_K_M";
        assert_eq!(names.join(" "), expected);
        assert_eq!(FileType::of_name("q4_k_m"), Some(FileType::Q4KM));
        assert_eq!(FileType::of_name("q9_0"), None);
    }

    /// Llama 2's 32 layers, as `llama-quantize` prints them: Q6_K in half of the layers' attn_v and ffn_down.
    #[test]
    fn a_mix_is_better_where_it_matters() {
        let better: Vec<usize> = (0..32).filter(|&layer| takes_more_bits(layer, 32)).collect();
        assert_eq!(better, [0, 1, 2, 3, 6, 9, 12, 15, 18, 21, 24, 27, 28, 29, 30, 31]);
        let config = SyntheticGguf::of_shape("TinyLlama-1.1B").unwrap().config;
        let type_of = |tensor| FileType::Q4KM.tensor_type(&config, tensor, 2048);
        assert_eq!(type_of("output.weight"), TensorType::Q6K);
        assert_eq!(type_of("token_embd.weight"), TensorType::Q4K);
        assert_eq!(type_of("blk.0.attn_v.weight"), TensorType::Q6K);
        assert_eq!(type_of("blk.2.attn_v.weight"), TensorType::Q4K);
        assert_eq!(type_of("blk.0.attn_q.weight"), TensorType::Q4K);
        assert_eq!(type_of("blk.21.ffn_down.weight"), TensorType::Q6K);
        let tied = SyntheticGguf::of_shape("Llama-3.2-1B").unwrap().config;
        assert_eq!(FileType::Q5KM.tensor_type(&tied, "token_embd.weight", 2048), TensorType::Q6K);
    }

    #[test]
    fn rows_that_are_no_whole_blocks_fall_back() {
        let config = SyntheticGguf::of_shape("SmolLM2-135M").unwrap().config;
        let type_of =
            |file_type: FileType, columns| file_type.tensor_type(&config, "blk.2.attn_q.weight", columns);
        assert_eq!(type_of(FileType::Q4KM, 576), TensorType::Q5_0);
        assert_eq!(type_of(FileType::Q4KM, 1536), TensorType::Q4K);
        assert_eq!(type_of(FileType::All(TensorType::Q6K), 576), TensorType::Q8_0);
        assert_eq!(type_of(FileType::All(TensorType::Q5K), 172), TensorType::F16);
        assert_eq!(type_of(FileType::All(TensorType::Q4_1), 172), TensorType::F16);
    }
}
