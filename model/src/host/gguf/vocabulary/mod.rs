//! What a GGUF says about the tokenizer: the tokens, how they are joined, and which of them begin
//! and end a text.
//!
//! Source of keys and defaults: llama.cpp's src/llama-vocab.cpp.
mod error;

pub use error::VocabularyError;

use super::error::GgufError;
use super::metadata::{Metadata, needed};
use super::value::Quoted;
use std::collections::BTreeSet;

/// The tokenizer models that are read: SentencePiece's rule, and byte-level BPE.
const SENTENCE_PIECE: &str = "llama";
const BYTE_LEVEL_BPE: &str = "gpt2";
/// The keys of special tokens, and of the flags that put them before and behind a text.
const BOS: &str = "tokenizer.ggml.bos_token_id";
const EOS: &str = "tokenizer.ggml.eos_token_id";
const ADD_BOS: &str = "tokenizer.ggml.add_bos_token";
const ADD_EOS: &str = "tokenizer.ggml.add_eos_token";
/// The pre-tokenizers that put BOS first where the metadata does not say.
const BOS_BY_DEFAULT: [&str; 4] = ["llama-bpe", "llama3", "llama-v3", "tekken"];
/// SentencePiece's BOS, EOS and unknown token where the metadata does not name them.
const SENTENCE_PIECE_IDS: [u32; 3] = [1, 2, 0];
/// What tokens are called that end a text or a turn, besides those that the metadata names.
const ENDINGS: [&str; 14] = [
    "<|eot_id|>",
    "<|eom_id|>",
    "<|im_end|>",
    "<|end|>",
    "<|endoftext|>",
    "<|end_of_text|>",
    "<end_of_turn>",
    "<end_of_utterance>",
    "</s>",
    "<eos>",
    "<EOT>",
    "_<EOT>",
    "[EOT]",
    "[EOS]",
];

/// What a token is, with GGUF's number.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TokenType {
    /// A piece of text.
    Normal = 1,
    /// What stands for text that no other token has.
    Unknown = 2,
    /// It steers the model and is no text: BOS, the end of a turn.
    Control = 3,
    /// A text that is taken whole.
    UserDefined = 4,
    /// It is never used.
    Unused = 5,
    /// One byte, for text that no other token has.
    Byte = 6,
}

impl TokenType {
    /// The type of GGUF's number.
    const fn from_number(number: i32) -> Option<Self> {
        Some(match number {
            1 => Self::Normal,
            2 => Self::Unknown,
            3 => Self::Control,
            4 => Self::UserDefined,
            5 => Self::Unused,
            6 => Self::Byte,
            _ => return None,
        })
    }
}

/// Two tokens that `gpt2` joins, by their texts.
pub type Merge = (Vec<u8>, Vec<u8>);

/// A GGUF's tokenizer.
#[derive(Clone, PartialEq, Debug)]
pub struct GgufVocabulary {
    /// The rule by which text is cut: `llama` (SentencePiece's) or `gpt2` (byte-level BPE).
    pub model: String,
    /// How the text is cut before the merges of `gpt2`, such as `smollm`; `default` where the file
    /// does not say.
    pub pre: String,
    /// The tokens' texts by id, as the file has them: UTF-8, those of `gpt2` in its alphabet of
    /// printable characters, those of `llama` with ▁ (U+2581) for a space.
    pub tokens: Vec<Vec<u8>>,
    /// A score by id: of two pairs, that with the higher score is joined. Zeros for `gpt2`.
    pub scores: Vec<f32>,
    /// What each token is, by id.
    pub types: Vec<TokenType>,
    /// The pairs of `gpt2` that are joined, the first ones first. Empty for `llama`.
    pub merges: Vec<Merge>,
    /// Begin of sequence.
    pub bos: Option<u32>,
    /// End of sequence.
    pub eos: Option<u32>,
    /// End of turn.
    pub eot: Option<u32>,
    /// End of message.
    pub eom: Option<u32>,
    /// What stands for text that no token has.
    pub unknown: Option<u32>,
    /// What fills batches in training. `None` also where the file names a token that is not there,
    /// as some do: nothing needs it.
    pub padding: Option<u32>,
    /// Whether BOS is put before a text.
    pub add_bos: bool,
    /// Whether EOS is put behind a text.
    pub add_eos: bool,
    /// Whether a space is put before a text.
    pub add_space_prefix: bool,
    /// How messages are written as a text: a Jinja template.
    pub chat_template: Option<String>,
}

impl GgufVocabulary {
    /// Reads and checks the tokenizer of a GGUF.
    pub fn of(metadata: &Metadata) -> Result<Self, VocabularyError> {
        let key = "tokenizer.ggml.model";
        let model = needed(key, metadata.str_of(key)?)?.to_owned();
        if model != SENTENCE_PIECE && model != BYTE_LEVEL_BPE {
            return Err(VocabularyError::Model(model));
        }
        let sentence_piece = model == SENTENCE_PIECE;
        let pre = metadata.str_of("tokenizer.ggml.pre")?.unwrap_or("default").to_owned();
        let key = "tokenizer.ggml.tokens";
        let tokens: Vec<Vec<u8>> =
            needed(key, metadata.strings_of(key)?)?.iter().map(<[u8]>::to_vec).collect();
        if tokens.is_empty() {
            return Err(VocabularyError::Empty);
        }

        let id = |key| special(metadata, key, tokens.len());
        let default = |id: u32| Some(id).filter(|&id| sentence_piece && (id as usize) < tokens.len());
        let [bos, eos, unknown] = SENTENCE_PIECE_IDS.map(default);
        let (bos, eos) = (id(BOS)?.or(bos), id(EOS)?.or(eos));
        let flag = |key: &str, default| Ok::<_, GgufError>(metadata.bool_of(key)?.unwrap_or(default));
        let add_bos = flag(ADD_BOS, sentence_piece || BOS_BY_DEFAULT.contains(&&pre[..]))?;
        let add_eos = flag(ADD_EOS, false)?;
        for (add, token, flag, id) in [(add_bos, bos, ADD_BOS, BOS), (add_eos, eos, ADD_EOS, EOS)] {
            if add && token.is_none() {
                return Err(VocabularyError::NoToken { flag, id });
            }
        }

        Ok(Self {
            scores: scores(metadata, tokens.len(), sentence_piece)?,
            types: types(metadata, tokens.len())?,
            merges: merges(metadata, !sentence_piece)?,
            bos,
            eos,
            eot: id("tokenizer.ggml.eot_token_id")?,
            eom: id("tokenizer.ggml.eom_token_id")?,
            unknown: id("tokenizer.ggml.unknown_token_id")?.or(unknown),
            padding: padding(metadata, tokens.len()),
            add_bos,
            add_eos,
            add_space_prefix: flag("tokenizer.ggml.add_space_prefix", sentence_piece)?,
            chat_template: metadata.str_of("tokenizer.chat_template")?.map(str::to_owned),
            model,
            pre,
            tokens,
        })
    }

    /// The tokens that end a text or a turn: those that the metadata names, and control and
    /// user-defined tokens that are called like one.
    pub fn ending(&self) -> BTreeSet<u32> {
        let named = self.tokens.iter().zip(&self.types).enumerate().filter(|(_, (text, token_type))| {
            let special = matches!(token_type, TokenType::Control | TokenType::UserDefined);
            special && ENDINGS.iter().any(|ending| ending.as_bytes() == &text[..])
        });
        named.map(|(id, _)| id as u32).chain([self.eos, self.eot, self.eom].into_iter().flatten()).collect()
    }
}

/// A special token, which must be in the vocabulary.
fn special(metadata: &Metadata, key: &'static str, tokens: usize) -> Result<Option<u32>, VocabularyError> {
    match metadata.u32_of(key)? {
        Some(id) if id as usize >= tokens => Err(VocabularyError::Id { key, id, tokens }),
        id => Ok(id),
    }
}

/// The token of padding, if it is in the vocabulary.
fn padding(metadata: &Metadata, tokens: usize) -> Option<u32> {
    let id = metadata.get("tokenizer.ggml.padding_token_id")?.as_integer()?;
    id.try_into().ok().filter(|&id: &u32| (id as usize) < tokens)
}

fn scores(metadata: &Metadata, tokens: usize, must: bool) -> Result<Vec<f32>, VocabularyError> {
    let key = "tokenizer.ggml.scores";
    let scores = match metadata.f32s_of(key)? {
        None if !must => vec![0.0; tokens],
        scores => needed(key, scores)?,
    };
    if scores.len() != tokens {
        return Err(VocabularyError::Length { key, found: scores.len(), tokens });
    }
    match scores.iter().position(|score| score.is_nan()) {
        Some(token) => Err(VocabularyError::Score { token }),
        None => Ok(scores),
    }
}

/// The tokens' types; all are text where the file does not say.
fn types(metadata: &Metadata, tokens: usize) -> Result<Vec<TokenType>, VocabularyError> {
    let key = "tokenizer.ggml.token_type";
    let Some(numbers) = metadata.i32s_of(key)? else { return Ok(vec![TokenType::Normal; tokens]) };
    if numbers.len() != tokens {
        return Err(VocabularyError::Length { key, found: numbers.len(), tokens });
    }
    let read = |(token, &found): (usize, &i32)| {
        TokenType::from_number(found).ok_or(VocabularyError::Type { token, found })
    };
    numbers.iter().enumerate().map(read).collect()
}

fn merges(metadata: &Metadata, must: bool) -> Result<Vec<Merge>, VocabularyError> {
    let key = "tokenizer.ggml.merges";
    if !must {
        return Ok(Vec::new());
    }
    let merges = needed(key, metadata.strings_of(key)?)?;
    let pair = |(index, merge): (usize, &[u8])| {
        let mut parts = merge.split(|&byte| byte == b' ');
        match (parts.next(), parts.next(), parts.next()) {
            (Some(left @ [_, ..]), Some(right @ [_, ..]), None) => Ok((left.to_vec(), right.to_vec())),
            _ => {
                let merge = Quoted(merge).to_string();
                Err(VocabularyError::Merge { index, merge })
            }
        }
    };
    merges.iter().enumerate().map(pair).collect()
}

#[cfg(test)]
mod tests;
