//! The phases of a token, for whoever wants to know how long each takes.

/// A part of a token's time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Phase {
    /// The embedding; the norm before attention, and the matrices of queries, keys and values.
    Qkv,
    /// Rotation, scores, softmax, weighted values, and the matrix behind them.
    Attention,
    /// The feed-forward layer and the norm before it.
    Ffn,
    /// The last norm and the classifier.
    Classifier,
    /// From logits to a token.
    Sampling,
    /// The token's text on both consoles.
    Printing,
}

impl Phase {
    /// All of them, in the order of a token.
    pub const ALL: [Self; 6] =
        [Self::Qkv, Self::Attention, Self::Ffn, Self::Classifier, Self::Sampling, Self::Printing];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Qkv => "qkv",
            Self::Attention => "attention",
            Self::Ffn => "ffn",
            Self::Classifier => "classifier",
            Self::Sampling => "sampling",
            Self::Printing => "printing",
        }
    }
}

/// Who wants to know how long the phases take.
pub trait Stopwatch {
    /// The time since the last lap belongs to `phase`.
    fn lap(&self, phase: Phase);

    /// The residual stream after a branch was added to it.
    fn residual(&self, _x: &[i32]) {}
}

/// Nobody does.
impl Stopwatch for () {
    #[inline(always)]
    fn lap(&self, _: Phase) {}
}

impl<S: Stopwatch> Stopwatch for &S {
    #[inline(always)]
    fn lap(&self, phase: Phase) {
        (**self).lap(phase);
    }

    #[inline(always)]
    fn residual(&self, x: &[i32]) {
        (**self).residual(x);
    }
}
