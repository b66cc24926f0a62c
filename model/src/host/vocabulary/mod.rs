//! What tokenizer files mean: from llama2.c's `tokenizer.bin` or a GGUF's metadata to the packed
//! vocabulary that [`crate::vocabulary`] reads.
//!
//! | a tokenizer | where its rule is |
//! | --- | --- |
//! | llama2.c's file | [`llama2c`] |
//! | GGUF's `llama`: SentencePiece | `sentence_piece` |
//! | GGUF's `gpt2`: byte-level BPE | `byte_pairs`, its classes of characters in `unicode` |
//! | tokens that are no text, endings, beginnings | `special` |
mod byte_pairs;
pub mod llama2c;
mod packer;
mod sentence_piece;
mod special;
pub(crate) mod unicode;

use super::gguf::GgufVocabulary;
pub(crate) use byte_pairs::Alphabet;
use thiserror::Error;

/// Why a tokenizer cannot be packed.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum TokenizerError {
    /// A llama2.c tokenizer ends inside a piece.
    #[error("the tokenizer is cut short in piece {piece}")]
    Truncated {
        /// The piece.
        piece: usize,
    },
    /// A piece's length in a llama2.c tokenizer is negative.
    #[error("the tokenizer's piece {piece} has the length {length}, is it a llama2.c tokenizer?")]
    BadLength {
        /// The piece.
        piece: usize,
        /// The length found.
        length: i32,
    },
    /// A score is not a number.
    #[error("the tokenizer's piece {piece} has a score that is no number")]
    BadScore {
        /// The piece.
        piece: usize,
    },
    /// Another kind of tokenizer.
    #[error(
        "the model's tokenizer is {0:?}, only \"llama\" and \"gpt2\" are read; take a model with one of them"
    )]
    Model(String),
    /// Another pre-tokenizer.
    #[error(
        "the model's pre-tokenizer is {0:?}, only \"smollm\", \"llama-bpe\", \"gpt-2\" and \"default\" are read; \
         take a model with one of them"
    )]
    Pretokenizer(String),
    /// A list has not one entry for each token.
    #[error("the tokenizer has {found} {list} for {tokens} tokens; convert the model again")]
    Length {
        /// The list.
        list: &'static str,
        /// Entries found.
        found: usize,
        /// Tokens of the vocabulary.
        tokens: usize,
    },
    /// A special token is not in the vocabulary.
    #[error("the tokenizer's special token {id} is none of its {tokens} tokens; convert the model again")]
    Id {
        /// The token.
        id: u32,
        /// Tokens of the vocabulary.
        tokens: usize,
    },
    /// A piece is so long that all its cuts cannot be tried.
    #[error("the token {token} has {length} bytes, at most {limit} are read")]
    LongPiece {
        /// The token.
        token: usize,
        /// Its length in bytes.
        length: usize,
        /// The most that is read.
        limit: usize,
    },
    /// The packed vocabulary's numbers do not hold it.
    #[error("the tokenizer is too large: at most 256 MiB of text can be packed")]
    TooLarge,
}

/// Packs the tokenizer of a GGUF.
pub fn pack_gguf(gguf: &GgufVocabulary) -> Result<Vec<u32>, TokenizerError> {
    check(gguf)?;
    match &gguf.model[..] {
        "llama" => sentence_piece::pack(gguf),
        "gpt2" => byte_pairs::pack(gguf),
        _ => Err(TokenizerError::Model(gguf.model.clone())),
    }
}

/// Checks what the fields of a GGUF's tokenizer promise each other.
fn check(gguf: &GgufVocabulary) -> Result<(), TokenizerError> {
    let tokens = gguf.tokens.len();
    for (list, found) in [("types", gguf.types.len()), ("scores", gguf.scores.len())] {
        if found != tokens {
            return Err(TokenizerError::Length { list, found, tokens });
        }
    }
    let ids = [gguf.bos, gguf.eos, gguf.eot, gguf.eom, gguf.unknown];
    match ids.into_iter().flatten().find(|&id| id as usize >= tokens) {
        Some(id) => Err(TokenizerError::Id { id, tokens }),
        None => Ok(()),
    }
}

#[cfg(test)]
pub(crate) mod tests;
