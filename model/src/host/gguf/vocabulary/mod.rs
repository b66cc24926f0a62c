//! What a GGUF says about the tokenizer: the tokens, how they are joined, and which of them begin
//! and end a text.
//!
//! Source of keys and defaults: llama.cpp's src/llama-vocab.cpp.
use std::collections::BTreeSet;

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

/// What a token is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TokenType {
    /// A piece of text.
    Normal,
    /// What stands for text that no other token has.
    Unknown,
    /// It steers the model and is no text: BOS, the end of a turn.
    Control,
    /// A text that is taken whole.
    UserDefined,
    /// It is never used.
    Unused,
    /// One byte, for text that no other token has.
    Byte,
}

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
    pub merges: Vec<(Vec<u8>, Vec<u8>)>,
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
