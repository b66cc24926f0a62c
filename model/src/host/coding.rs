//! Which coding a matrix gets: that which holds its file's codes as they are.
use super::checkpoint::{Checkpoint, CheckpointError, Weight};
use super::gguf::TensorType;
use super::quantize::Part;
use crate::matrix::{Bits, Coding, Grouped};
use crate::packed::Kind;
use crate::shape::Shape;
use std::io::{Read, Seek};

/// How a matrix is packed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Choice {
    /// Its coding.
    pub coding: Coding,
    /// Whether the file's codes are kept; else its numbers are rounded.
    pub as_codes: bool,
}

/// A checkpoint's tensors that one of the packed model is made of, one below the other.
pub fn weights(kind: Kind, shape: &Shape) -> &'static [Weight] {
    match kind {
        Kind::Embedding => &[Weight::TokenEmbedding],
        Kind::Wqkv => &[Weight::Wq, Weight::Wk, Weight::Wv],
        Kind::Wo => &[Weight::Wo],
        Kind::W13 => &[Weight::W1, Weight::W3],
        Kind::W2 => &[Weight::W2],
        Kind::Classifier if shape.shared_classifier => &[Weight::TokenEmbedding],
        Kind::Classifier => &[Weight::Classifier],
        Kind::RmsAtt => &[Weight::RmsAtt],
        Kind::RmsFfn => &[Weight::RmsFfn],
        Kind::RmsFinal => &[Weight::RmsFinal],
        Kind::Vocabulary | Kind::Exp2 | Kind::Sigmoid | Kind::Rope | Kind::Sectorllm => &[],
    }
}

/// The coding that holds a type's codes; `None` where the file has numbers.
const fn exact(tensor_type: TensorType) -> Option<Grouped> {
    match tensor_type {
        TensorType::F32 | TensorType::F16 | TensorType::Bf16 => None,
        TensorType::Q4_0 | TensorType::Q4_1 | TensorType::Q4K => Some(Grouped::four(32)),
        TensorType::Q2K | TensorType::Q3K => Some(Grouped::four(16)),
        TensorType::Q5_0 | TensorType::Q8_0 => Some(Grouped::eight(32)),
        TensorType::Q6K => Some(Grouped::eight(16)),
        TensorType::Q5_1 | TensorType::Q5K => Some(Grouped::eight_with_offsets(32)),
    }
}

/// The coding for tensors of these types in one matrix: the widest codes, the smallest groups.
fn of_types(types: impl Iterator<Item = TensorType> + Clone) -> Choice {
    // Rounded to 8 bits in groups of 16, SmolLM2 is a fifth nearer to its fp32 than in groups of 32.
    let rounded = Choice { coding: Coding::Groups(Grouped::eight(16)), as_codes: false };
    let all: Option<Vec<Grouped>> = types.clone().map(exact).collect();
    let Some(all) = all else { return rounded };
    let columns = all.iter().map(|grouped| grouped.columns).min().unwrap_or_default();
    let as_codes = |grouped| Choice { coding: Coding::Groups(grouped), as_codes: true };
    if all.iter().all(|grouped| grouped.bits == Bits::Four) {
        return as_codes(Grouped::four(columns));
    }
    if !all.iter().any(|grouped| grouped.offsets) {
        return as_codes(Grouped::eight(columns));
    }
    // Beside an offset there is room for codes of 6 bits.
    if types.clone().any(|tensor_type| tensor_type == TensorType::Q8_0) {
        return rounded;
    }
    as_codes(Grouped::eight_with_offsets(columns))
}

/// How a matrix is packed; [`Coding::Rows`] for llama2.c's checkpoints.
pub fn choose<R: Read + Seek>(checkpoint: &Checkpoint<R>, kind: Kind, layer: usize) -> Choice {
    let weights = weights(kind, &checkpoint.shape()).iter();
    let types: Option<Vec<TensorType>> =
        weights.map(|&weight| checkpoint.tensor_type(weight, layer)).collect();
    match types {
        Some(types) if !types.is_empty() => of_types(types.into_iter()),
        _ => Choice { coding: Coding::Rows, as_codes: false },
    }
}

/// The parts of a matrix in groups.
///
/// # Errors
/// A file that cannot be read, a number that is none.
pub fn parts<R: Read + Seek>(
    checkpoint: &mut Checkpoint<R>,
    kind: Kind,
    layer: usize,
    as_codes: bool,
) -> Result<Vec<Part>, CheckpointError> {
    let weights = weights(kind, &checkpoint.shape());
    let parts = weights.iter().map(|&weight| match checkpoint.tensor_type(weight, layer) {
        Some(tensor_type) if as_codes => {
            let codes = checkpoint.codes(weight, layer)?;
            Ok(Part::Codes { codes, range: tensor_type.code_range() })
        }
        _ => Ok(Part::Numbers(checkpoint.read(weight, layer)?)),
    });
    parts.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use TensorType::*;

    #[test]
    fn codes_are_kept_where_they_can_be_kept_together() {
        let choice = |types: &[TensorType]| of_types(types.iter().copied());
        let kept = |grouped| Choice { coding: Coding::Groups(grouped), as_codes: true };
        assert_eq!(choice(&[Q4_1]), kept(Grouped::four(32)));
        assert_eq!(choice(&[Q4K, Q4K, Q6K]), kept(Grouped::eight_with_offsets(16)));
        assert_eq!(choice(&[Q3K, Q4K]), kept(Grouped::four(16)));
        assert_eq!(choice(&[Q8_0, Q6K]), kept(Grouped::eight(16)));
        assert_eq!(choice(&[Q5K]), kept(Grouped::eight_with_offsets(32)));
        let rounded = Choice { coding: Coding::Groups(Grouped::eight(16)), as_codes: false };
        for types in [&[F16][..], &[F32, Q4_0], &[Q8_0, Q4_0], &[Bf16, F32]] {
            assert_eq!(choice(types), rounded, "{types:?}");
        }
    }
}
