//! What every engine does: a token in, logits out.
use crate::allocation::OutOfMemory;

/// Which arithmetic runs a model. Each has a program of its own on the machine, and its own packed weights.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum EngineKind {
    /// The int8 engine, for any shape.
    #[default]
    Int8,
    /// The 1356-byte mode, for the shape of stories260K.
    Sectorllm,
}

impl EngineKind {
    /// Its name on the command line and in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Int8 => "int8",
            Self::Sectorllm => "sector",
        }
    }
}

/// A transformer that reads one token after the other and remembers them.
pub trait Engine {
    /// Which it is.
    fn kind(&self) -> EngineKind;

    /// Positions that the key/value cache holds; at most the shape's `seq_len`.
    fn context(&self) -> usize;

    /// Reads `token`, one of the vocabulary, at position `pos` and returns the logits (vocab_size,), Q16.16,
    /// of the token after it. Positions go up from 0. Past the context the window rolls: the engine
    /// remembers the first position and the latest. Up to there a position may be read again.
    fn forward(&mut self, token: u32, pos: usize) -> &[i32];

    /// Values of the residual stream that were too large for it so far, and limited.
    fn saturations(&self) -> u32 {
        0
    }

    /// Reads a token whose successor is known, so that nobody asks for the logits.
    fn read(&mut self, token: u32, pos: usize) {
        self.forward(token, pos);
    }

    /// Whether a story ends when this token comes, although it is none of the vocabulary's endings.
    fn ends(&self, _token: u32) -> bool {
        false
    }
}

/// Why an engine cannot run or go on.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum EngineError {
    /// The prompt leaves no room for a story.
    #[error("the beginning takes {tokens} tokens and the context holds {context}, so use a shorter one")]
    PromptTooLong {
        /// Its tokens, with the one that a story starts from.
        tokens: usize,
        /// Positions that there are.
        context: usize,
    },
    /// The model has no token that a story could start from.
    #[error("the model has no token that a text starts from, so give it a beginning")]
    NeedsBeginning,
    /// There is not enough memory.
    #[error(transparent)]
    OutOfMemory(#[from] OutOfMemory),
}
