//! Shapes with a name, and shapes by their numbers.
use super::Tokenizer;
use crate::host::checkpoint::LLAMA2C_ROPE_BASE;
use crate::shape::{Shape, ShapeError};
use std::fmt;

/// A shape with a name, and what a GGUF of it says besides.
#[derive(Clone, Copy, Debug)]
pub struct NamedShape {
    /// Its name.
    pub name: &'static str,
    /// The sizes.
    pub shape: Shape,
    /// RoPE's base.
    pub rope_base: f64,
    /// Whether RoPE's frequencies are divided as Llama 3.2 does.
    pub rope_freqs: bool,
    /// The kind of tokenizer.
    pub tokenizer: Tokenizer,
}

/// 260K to 110M are karpathy/tinyllamas; the others are those of the config.json in the Hugging Face
/// repositories HuggingFaceTB/SmolLM2-135M and -360M, TinyLlama/TinyLlama-1.1B-Chat-v1.0 and
/// meta-llama/Llama-3.2-1B.
pub const NAMED: [NamedShape; 8] = [
    tinyllamas("260K", Shape::STORIES260K),
    tinyllamas("15M", llama2c(288, 768, 6, 6, 256)),
    tinyllamas("42M", llama2c(512, 1376, 8, 8, 1024)),
    tinyllamas("110M", llama2c(768, 2048, 12, 12, 1024)),
    smollm2("SmolLM2-135M", [576, 1536, 30, 9, 3]),
    smollm2("SmolLM2-360M", [960, 2560, 32, 15, 5]),
    NamedShape {
        shape: Shape {
            vocab_size: 32_000,
            shared_classifier: false,
            ..of_sizes([2048, 5632, 22, 32, 4], 2048)
        },
        ..tinyllamas("TinyLlama-1.1B", Shape::STORIES260K)
    },
    NamedShape {
        name: "Llama-3.2-1B",
        shape: Shape { vocab_size: 128_256, ..of_sizes([2048, 8192, 16, 32, 8], 131_072) },
        rope_base: 500_000.0,
        rope_freqs: true,
        tokenizer: Tokenizer::LLAMA3,
    },
];

const fn tinyllamas(name: &'static str, shape: Shape) -> NamedShape {
    NamedShape { name, shape, rope_base: LLAMA2C_ROPE_BASE, rope_freqs: false, tokenizer: Tokenizer::LLAMA }
}

const fn smollm2(name: &'static str, sizes: [usize; 5]) -> NamedShape {
    let shape = Shape { vocab_size: 49_152, ..of_sizes(sizes, 8192) };
    NamedShape { name, shape, rope_base: 100_000.0, rope_freqs: false, tokenizer: Tokenizer::SMOLLM }
}

/// A shape with 32,000 tokens and as many key/value heads as heads.
const fn llama2c(dim: usize, hidden_dim: usize, n_layers: usize, n_heads: usize, seq_len: usize) -> Shape {
    Shape { vocab_size: 32_000, ..of_sizes([dim, hidden_dim, n_layers, n_heads, n_heads], seq_len) }
}

/// A shape of dim, hidden, layers, heads and kv heads, whose vocabulary is still to be told.
const fn of_sizes(sizes: [usize; 5], seq_len: usize) -> Shape {
    let [dim, hidden_dim, n_layers, n_heads, n_kv_heads] = sizes;
    let (head_size, vocab_size, shared_classifier) = (dim / n_heads, 0, true);
    Shape {
        dim,
        hidden_dim,
        n_layers,
        n_heads,
        n_kv_heads,
        head_size,
        vocab_size,
        seq_len,
        shared_classifier,
    }
}

/// The names, for a sentence.
pub fn names() -> String {
    NAMED.map(|named| named.name).join(", ")
}

/// The shape of a name, in any case.
pub fn find(name: &str) -> Option<&'static NamedShape> {
    const { &NAMED }.iter().find(|named| named.name.eq_ignore_ascii_case(name))
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
                "'{text}' is no shape, it must be one of {} or \
                 dim,hidden,layers,heads,kv_heads,vocab,seq (a negative vocab for a classifier of its own)",
                names()
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
    if let Some(named) = find(text) {
        return Ok(named.shape);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_by_name_and_by_numbers() {
        assert_eq!(parse_shape("260k").unwrap(), Shape::STORIES260K);
        assert_eq!(parse_shape("64,172,5,8,4,512,512").unwrap(), Shape::STORIES260K);
        assert!(!parse_shape("64,172,5,8,4,-512,512").unwrap().shared_classifier);
        for text in ["", "16M", "1,2,3", "64,172,5,8,4,512,x", "-64,172,5,8,4,512,512"] {
            assert!(matches!(parse_shape(text), Err(ShapeTextError::Text(_))), "{text}");
        }
        assert!(matches!(parse_shape("64,172,5,7,7,512,512"), Err(ShapeTextError::Heads { .. })));
        assert!(matches!(parse_shape("64,172,5,8,3,512,512"), Err(ShapeTextError::Shape(_))));
    }

    /// The numbers of parameters that the models' pages give.
    #[test]
    fn named_shapes_have_the_parameters_of_the_published_models() {
        let parameters = NAMED.map(|named| named.shape.parameters());
        let tinyllamas = [260_032, 15_191_712, 41_689_600, 109_529_856];
        assert_eq!(parameters[..4], tinyllamas);
        assert_eq!(parameters[4..], [134_515_008, 361_821_120, 1_100_048_384, 1_235_814_400]);
        assert!(NAMED.iter().all(|named| named.shape.check() == Ok(())));
    }
}
