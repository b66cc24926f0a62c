//! Why a GGUF's tokenizer cannot be used.
use crate::host::gguf::GgufError;
use thiserror::Error;

/// What is wrong with a tokenizer's metadata, or not supported.
#[derive(Debug, Error)]
pub enum VocabularyError {
    /// A key is missing or has a wrong value.
    #[error(transparent)]
    Gguf(#[from] GgufError),
    /// Another tokenizer.
    #[error(
        "the model's tokenizer is {0:?}, only \"llama\" (SentencePiece) and \"gpt2\" (byte-level BPE) \
         are read; take a model with one of them"
    )]
    Model(String),
    /// There are no tokens.
    #[error("the model's vocabulary is empty; convert the model again")]
    Empty,
    /// A list has not one entry for each token.
    #[error("the GGUF's {key} has {found} entries for {tokens} tokens; convert the model again")]
    Length {
        /// The list's key.
        key: &'static str,
        /// Entries found.
        found: usize,
        /// Tokens of the vocabulary.
        tokens: usize,
    },
    /// A score is not a number.
    #[error("the score of token {token} is no number; convert the model again")]
    Score {
        /// The token.
        token: usize,
    },
    /// A number that stands for no type of tokens.
    #[error("the token {token} has the type {found}, it must be 1 to 6; convert the model again")]
    Type {
        /// The token.
        token: usize,
        /// The number found.
        found: i32,
    },
    /// A merge is not two tokens with a space between them.
    #[error(
        "the merge {index} is {merge}, it must be two tokens with one space between them; \
         convert the model again"
    )]
    Merge {
        /// Which merge, from 0 on.
        index: usize,
        /// What it is.
        merge: String,
    },
    /// A special token is not in the vocabulary.
    #[error("the GGUF's {key} is {id}, its vocabulary has {tokens} tokens; convert the model again")]
    Id {
        /// The key.
        key: &'static str,
        /// The token.
        id: u32,
        /// Tokens of the vocabulary.
        tokens: usize,
    },
    /// A token is to be put before or behind a text, and it is not said which.
    #[error("the GGUF's {flag} asks for a token that {id} does not name; convert the model again")]
    NoToken {
        /// The key that asks for it.
        flag: &'static str,
        /// The key that should name it.
        id: &'static str,
    },
}
