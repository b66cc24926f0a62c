//! Random checkpoints: every shape can be run from end to end without a trained model.
//!
//! The same shape and seed give the same file everywhere: the numbers are llama2.c's random
//! numbers, scaled by a power of two and one square root.
use super::checkpoint::{Weight, llama2c::ORDER_V0};
use crate::sampler::{COIN_BITS, Random};
use crate::shape::{Shape, ShapeError};
use std::fmt;
use std::io::{self, Write};

/// Shapes with a name: (name, shape). The 15M, 42M and 110M are those of karpathy/tinyllamas.
pub const NAMED: [(&str, Shape); 4] = [
    ("260K", Shape::STORIES260K),
    ("15M", named(288, 768, 6, 6, 256)),
    ("42M", named(512, 1376, 8, 8, 1024)),
    ("110M", named(768, 2048, 12, 12, 1024)),
];

/// A shape with 32,000 tokens and as many key/value heads as heads.
const fn named(dim: usize, hidden_dim: usize, n_layers: usize, n_heads: usize, seq_len: usize) -> Shape {
    Shape {
        dim,
        hidden_dim,
        n_layers,
        n_heads,
        n_kv_heads: n_heads,
        head_size: dim / n_heads,
        vocab_size: 32_000,
        seq_len,
        shared_classifier: true,
    }
}

/// Why a text names no shape.
#[derive(Debug, PartialEq, Eq)]
pub enum ShapeTextError {
    /// It is neither a name nor seven numbers.
    Text(String),
    /// `dim` cannot be shared out to the heads.
    Heads {
        /// The dim given.
        dim: usize,
        /// The number of heads given.
        n_heads: usize,
    },
    /// The numbers do not fit each other.
    Shape(ShapeError),
}

impl fmt::Display for ShapeTextError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => write!(
                f,
                "'{text}' is no shape, it must be 260K, 15M, 42M, 110M or \
                 dim,hidden,layers,heads,kv_heads,vocab,seq (a negative vocab for a classifier of its own)"
            ),
            Self::Heads { dim, n_heads } => {
                write!(f, "the shape's dim {dim} is not divisible by its {n_heads} heads")
            }
            Self::Shape(error) => write!(f, "{error}"),
        }
    }
}

impl std::error::Error for ShapeTextError {}

/// The shape that a text names: `15M`, or seven numbers with commas between them, in the order of a
/// checkpoint's header. As there, a negative vocabulary means a classifier of its own.
pub fn parse_shape(text: &str) -> Result<Shape, ShapeTextError> {
    if let Some((_, shape)) = NAMED.iter().find(|(name, _)| name.eq_ignore_ascii_case(text)) {
        return Ok(*shape);
    }
    let no_shape = || ShapeTextError::Text(text.to_owned());
    let sizes: Result<Vec<i32>, _> = text.split(',').map(|size| size.trim().parse()).collect();
    let sizes: [i32; 7] = sizes.ok().and_then(|sizes| sizes.try_into().ok()).ok_or_else(no_shape)?;
    let size = |i: usize| usize::try_from(sizes[i]).map_err(|_| no_shape());
    let (dim, n_heads) = (size(0)?, size(3)?);
    if n_heads == 0 || !dim.is_multiple_of(n_heads) {
        return Err(ShapeTextError::Heads { dim, n_heads });
    }
    let shape = Shape {
        dim,
        head_size: dim / n_heads,
        hidden_dim: size(1)?,
        n_layers: size(2)?,
        n_heads,
        n_kv_heads: size(4)?,
        vocab_size: sizes[5].unsigned_abs() as usize,
        seq_len: size(6)?,
        shared_classifier: sizes[5] > 0,
    };
    shape.check().map_err(ShapeTextError::Shape)?;
    Ok(shape)
}

/// Writes a version 0 checkpoint of random weights.
///
/// Matrices keep the length of what they multiply; the two that write into the residual stream are
/// smaller in deep models; the classifier's logits spread by about 2. So the model behaves like one
/// before training, with clear differences between tokens.
pub fn write_checkpoint(shape: &Shape, seed: u64, out: &mut impl Write) -> io::Result<()> {
    let vocab = shape.vocab_size as i32;
    let sizes = [
        shape.dim as i32,
        shape.hidden_dim as i32,
        shape.n_layers as i32,
        shape.n_heads as i32,
        shape.n_kv_heads as i32,
        if shape.shared_classifier { vocab } else { -vocab },
        shape.seq_len as i32,
    ];
    out.write_all(bytemuck::cast_slice(&sizes))?;
    let mut random = Random::new(seed);
    let classifier = (!shape.shared_classifier).then_some(Weight::Classifier);
    for weight in ORDER_V0.into_iter().chain(classifier) {
        let (times, numbers) = weight.size(shape);
        for _ in 0..times {
            let tensor: Vec<f32> = match weight {
                Weight::FreqCos | Weight::FreqSin => vec![0.0; numbers], // skipped by every reader
                Weight::RmsAtt | Weight::RmsFfn | Weight::RmsFinal => {
                    (0..numbers).map(|_| 1.0 + 0.25 * uniform(&mut random)).collect()
                }
                _ => {
                    let size = spread(weight, shape);
                    (0..numbers).map(|_| size * uniform(&mut random)).collect()
                }
            };
            out.write_all(bytemuck::cast_slice(&tensor))?;
        }
    }
    Ok(())
}

/// The largest magnitude of a matrix's weights. A uniform distribution's standard deviation is its
/// largest magnitude / √3.
fn spread(weight: Weight, shape: &Shape) -> f32 {
    let branches = 2.0 * shape.n_layers as f32;
    let variance = match weight {
        Weight::TokenEmbedding | Weight::Classifier => 4.0 / shape.dim as f32,
        Weight::Wo => 1.0 / (shape.dim as f32 * branches),
        Weight::W2 => 1.0 / (shape.hidden_dim as f32 * branches),
        _ => 1.0 / shape.dim as f32,
    };
    (3.0 * variance).sqrt()
}

/// A number from -1 to 1.
fn uniform(random: &mut Random) -> f32 {
    random.coin() as f32 / (1 << (COIN_BITS - 1)) as f32 - 1.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crc32::crc32;

    #[test]
    fn shapes_by_name_and_by_numbers() {
        assert_eq!(parse_shape("260k").unwrap(), Shape::STORIES260K);
        assert_eq!(parse_shape("64,172,5,8,4,512,512").unwrap(), Shape::STORIES260K);
        assert!(!parse_shape("64,172,5,8,4,-512,512").unwrap().shared_classifier);
        let parameters = NAMED.map(|(_, shape)| shape.parameters());
        assert_eq!(parameters, [260_032, 15_191_712, 41_689_600, 109_529_856]);
        for text in ["", "16M", "1,2,3", "64,172,5,8,4,512,x", "-64,172,5,8,4,512,512"] {
            assert!(matches!(parse_shape(text), Err(ShapeTextError::Text(_))), "{text}");
        }
        assert!(matches!(parse_shape("64,172,5,7,7,512,512"), Err(ShapeTextError::Heads { .. })));
        assert!(matches!(parse_shape("64,172,5,8,3,512,512"), Err(ShapeTextError::Shape(_))));
    }

    #[test]
    fn the_file_of_a_seed_never_changes() {
        let mut file = Vec::new();
        write_checkpoint(&Shape::STORIES260K, 1, &mut file).unwrap();
        assert_eq!(file.len(), 1_056_540);
        assert_eq!(crc32(&file), 0xC206BFE5);
    }
}
