//! Tokens that are no text.
use crate::host::gguf::{GgufVocabulary, TokenType};
use crate::vocabulary::{Header, Kind};
use std::collections::BTreeSet;

/// What the token between two documents of the training text is called, or the one before each,
/// where it is not BOS that stands before each text. The likelier names come first.
const BETWEEN_DOCUMENTS: [&str; 8] = [
    "<|endoftext|>",
    "<|end_of_text|>",
    "<|begin_of_text|>",
    "<|startoftext|>",
    "<s>",
    "<bos>",
    "</s>",
    "<eos>",
];

/// What tokens are, and which of them are no text.
pub(super) struct Special {
    /// The tokens' types.
    pub types: Vec<TokenType>,
    /// Tokens that are looked for in the text before all else.
    pub sought: Vec<u32>,
    /// Tokens that end a text.
    pub endings: BTreeSet<u32>,
    /// Begin of sequence.
    pub bos: Option<u32>,
    /// What a text without a beginning starts from.
    pub start: Option<u32>,
}

impl Special {
    /// Finds them. Three corrections are made, so that no text becomes a token that steers the model:
    /// what begins or ends a text is no text itself, nor is a user-defined token with a name such as
    /// `<|im_start|>` (older converters did not mark them). And BOS, where it stands before each
    /// text, ends one too: the next text begins.
    pub fn of(gguf: &GgufVocabulary) -> Self {
        let bos = gguf.bos;
        let first = bos.filter(|_| gguf.add_bos);
        let endings: BTreeSet<u32> = gguf.ending().into_iter().chain(first).collect();
        let mut types = gguf.types.clone();
        for (token, token_type) in types.iter_mut().enumerate() {
            let id = token as u32;
            let name = &gguf.tokens[token];
            let steers = endings.contains(&id)
                || bos == Some(id)
                || (*token_type == TokenType::UserDefined
                    && name.starts_with(b"<|")
                    && name.ends_with(b"|>"));
            if steers {
                *token_type = TokenType::Control;
            }
        }
        let sought = |token: &u32| {
            let token_type = types[*token as usize];
            matches!(token_type, TokenType::Control | TokenType::Unknown | TokenType::UserDefined)
        };
        let between = |name: &&str| {
            let mut tokens = gguf.tokens.iter().zip(&types);
            tokens.position(|(text, kind)| *kind == TokenType::Control && text == name.as_bytes())
        };
        Self {
            sought: (0..types.len() as u32).filter(sought).collect(),
            start: first.or_else(|| BETWEEN_DOCUMENTS.iter().find_map(between).map(|token| token as u32)),
            endings,
            bos,
            types,
        }
    }

    /// The flag that says whether BOS stands before each text.
    pub fn flags(&self, gguf: &GgufVocabulary) -> u32 {
        if gguf.add_bos && self.bos.is_some() { Header::BOS_FIRST } else { 0 }
    }
}

/// What a token of a type is on the machine.
pub(super) fn kind(token_type: TokenType) -> Kind {
    match token_type {
        TokenType::Normal | TokenType::UserDefined => Kind::Text,
        TokenType::Byte => Kind::Byte,
        TokenType::Control => Kind::Control,
        TokenType::Unknown => Kind::Unknown,
        TokenType::Unused => Kind::Unused,
    }
}
