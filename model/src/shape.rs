//! The shape of a Llama model: its sizes and whether the classifier shares the embedding.
use core::fmt;

/// The sizes of a model, by llama2.c's names.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Shape {
    /// Length of the residual stream.
    pub dim: usize,
    /// Length of the feed-forward layer's inner vector.
    pub hidden_dim: usize,
    /// Number of transformer layers.
    pub n_layers: usize,
    /// Number of query heads.
    pub n_heads: usize,
    /// Number of key/value heads; query heads share them in groups.
    pub n_kv_heads: usize,
    /// Values in one head's query, key or value.
    pub head_size: usize,
    /// Number of tokens in the vocabulary.
    pub vocab_size: usize,
    /// Longest sequence the model was trained for.
    pub seq_len: usize,
    /// Whether the classifier is the embedding table itself.
    pub shared_classifier: bool,
}

/// No length in a shape is above this: sums over a vector then fit their integers.
pub const MAX_LENGTH: usize = 1 << 18;
/// No model has more layers than this.
pub const MAX_LAYERS: usize = 1 << 12;

impl Shape {
    /// The shape of stories260K, the only one that the 1356-byte mode runs.
    pub const STORIES260K: Self = Self {
        dim: 64,
        hidden_dim: 172,
        n_layers: 5,
        n_heads: 8,
        n_kv_heads: 4,
        head_size: 8,
        vocab_size: 512,
        seq_len: 512,
        shared_classifier: true,
    };

    /// Length of a position's queries over all heads.
    pub const fn q_dim(&self) -> usize {
        self.head_size * self.n_heads
    }

    /// Length of a position's keys (and of its values) over all heads.
    pub const fn kv_dim(&self) -> usize {
        self.head_size * self.n_kv_heads
    }

    /// Rows of the joined matrix \[wq | wk | wv\].
    pub const fn qkv_dim(&self) -> usize {
        self.q_dim() + 2 * self.kv_dim()
    }

    /// Number of weights in matrices and norms, the embedding once where it is shared.
    pub fn parameters(&self) -> u64 {
        let (dim, hidden) = (self.dim as u64, self.hidden_dim as u64);
        let layer = dim * (self.qkv_dim() + self.q_dim()) as u64 + 3 * dim * hidden + 2 * dim;
        let tables = if self.shared_classifier { 1 } else { 2 };
        tables * self.vocab_size as u64 * dim + self.n_layers as u64 * layer + dim
    }

    /// Checks that the sizes fit each other and the limits of this crate.
    pub fn check(&self) -> Result<(), ShapeError> {
        let lengths = [
            ("dim", self.dim, MAX_LENGTH),
            ("hidden_dim", self.hidden_dim, MAX_LENGTH),
            ("n_layers", self.n_layers, MAX_LAYERS),
            ("n_heads", self.n_heads, MAX_LENGTH),
            ("n_kv_heads", self.n_kv_heads, MAX_LENGTH),
            ("head_size", self.head_size, MAX_LENGTH),
            ("vocab_size", self.vocab_size, MAX_LENGTH),
            ("seq_len", self.seq_len, MAX_LENGTH),
        ];
        for (name, value, limit) in lengths {
            if value == 0 || value > limit {
                return Err(ShapeError::OutOfRange { name, value, limit });
            }
        }
        if !self.n_heads.is_multiple_of(self.n_kv_heads) {
            return Err(ShapeError::KvHeads { n_heads: self.n_heads, n_kv_heads: self.n_kv_heads });
        }
        if !self.head_size.is_multiple_of(2) {
            return Err(ShapeError::OddHead { head_size: self.head_size });
        }
        let (name, value) = ("heads · head_size", self.n_heads.saturating_mul(self.head_size));
        if value > MAX_LENGTH {
            return Err(ShapeError::OutOfRange { name, value, limit: MAX_LENGTH });
        }
        Ok(())
    }
}

impl fmt::Display for Shape {
    /// `64/172/5/8/4/512/512`: dim, hidden, layers, heads, kv heads, vocabulary, sequence.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { dim, hidden_dim, n_layers, n_heads, n_kv_heads, vocab_size, seq_len, .. } = self;
        write!(f, "{dim}/{hidden_dim}/{n_layers}/{n_heads}/{n_kv_heads}/{vocab_size}/{seq_len}")
    }
}

/// Why a shape cannot be run.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ShapeError {
    /// A size is zero or too large.
    #[error("the model's {name} is {value}, it must be between 1 and {limit}")]
    OutOfRange {
        /// The size's name.
        name: &'static str,
        /// What was found.
        value: usize,
        /// The largest value that is accepted.
        limit: usize,
    },
    /// The query heads cannot be shared out to the key/value heads.
    #[error("the model's {n_heads} heads are not divisible by its {n_kv_heads} kv heads")]
    KvHeads {
        /// The number of query heads found.
        n_heads: usize,
        /// The number of key/value heads found.
        n_kv_heads: usize,
    },
    /// RoPE rotates pairs, so a head needs an even number of values.
    #[error("the model's head size {head_size} is odd, RoPE needs pairs of values")]
    OddHead {
        /// The head size found.
        head_size: usize,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stories260k_is_a_good_shape_of_260032_parameters() {
        let shape = Shape::STORIES260K;
        assert_eq!(shape.check(), Ok(()));
        assert_eq!(shape.parameters(), 260_032);
        assert_eq!(shape.head_size, 8);
        assert_eq!(shape.qkv_dim(), 128);
    }

    #[test]
    fn shapes_that_cannot_run_are_refused_by_name() {
        let good = Shape::STORIES260K;
        let refused = |shape: Shape| shape.check().unwrap_err().to_string();
        assert!(refused(Shape { n_layers: 0, ..good }).contains("n_layers is 0"));
        assert!(refused(Shape { dim: usize::MAX, ..good }).contains("dim is"));
        assert!(refused(Shape { n_heads: 7, ..good }).contains("7 heads are not divisible by its 4"));
        assert!(refused(Shape { n_kv_heads: 3, ..good }).contains("3 kv heads"));
        assert!(refused(Shape { head_size: 7, ..good }).contains("head size 7 is odd"));
        let wide = Shape { n_heads: 1 << 16, head_size: 1 << 16, n_kv_heads: 1, ..good };
        assert!(refused(wide).contains("heads · head_size is"));
    }
}
