//! Text to tokens.
use super::merge::Row;
use super::{Kind, Vocabulary};
use alloc::collections::TryReserveError;
use alloc::vec::Vec;
use core::fmt;

/// Whether the names of control tokens in a text are these tokens.
///
/// A text that somebody typed must not steer the model: there they are text. Tokens that are taken
/// whole but are text themselves ("user-defined") are found either way.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SpecialTokens {
    /// `<|im_end|>` is ten characters.
    AreText,
    /// `<|im_end|>` ends a turn.
    AreTokens,
}

/// Why a text cannot be encoded.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum EncodeError {
    /// The vocabulary has no piece for a byte.
    NoPiece {
        /// The byte.
        byte: u8,
    },
    /// No memory for the tokens.
    OutOfMemory,
}

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoPiece { byte } => {
                write!(f, "the tokenizer has no piece for the byte {byte:02X}h, use other characters")
            }
            Self::OutOfMemory => f.write_str("there is no memory to read the prompt"),
        }
    }
}

impl core::error::Error for EncodeError {}

impl From<TryReserveError> for EncodeError {
    fn from(_: TryReserveError) -> Self {
        Self::OutOfMemory
    }
}

/// A part of a text.
#[derive(Clone, Copy)]
enum Part<'t> {
    /// Text to be cut into tokens.
    Text(&'t str),
    /// A special token.
    Token(u32),
}

impl Vocabulary<'_> {
    /// The tokens of `text`, without BOS; none for an empty text.
    pub fn encode(&self, text: &str, special: SpecialTokens) -> Result<Vec<u32>, EncodeError> {
        let mut encoding = Encoding { vocabulary: self, row: Row::default(), tokens: Vec::new() };
        let mut after_special = true;
        for part in self.parts(text, special)? {
            match part {
                Part::Text(text) => encoding.text(text, after_special && self.header.space_in_front())?,
                Part::Token(token) => encoding.push(token)?,
            }
            after_special = matches!(part, Part::Token(_));
        }
        Ok(encoding.tokens)
    }

    /// Cuts a text at the special tokens: first at all that are the longest, then what is left at
    /// the next, as llama.cpp does.
    fn parts<'t>(&self, text: &'t str, special: SpecialTokens) -> Result<Vec<Part<'t>>, EncodeError> {
        let mut parts = Vec::new();
        if !text.is_empty() {
            push(&mut parts, Part::Text(text))?;
        }
        for &token in self.tables.special {
            if special == SpecialTokens::AreText && self.kind(token) != Kind::Text {
                continue;
            }
            let name = self.symbol_text(token);
            if !parts.iter().any(|part| matches!(part, Part::Text(text) if find(text, name).is_some())) {
                continue;
            }
            for part in core::mem::take(&mut parts) {
                match part {
                    Part::Text(text) => cut(text, name, token, &mut parts)?,
                    Part::Token(_) => push(&mut parts, part)?,
                }
            }
        }
        Ok(parts)
    }
}

/// Cuts a text wherever `name` stands, which is `token`.
fn cut<'t>(mut text: &'t str, name: &[u8], token: u32, parts: &mut Vec<Part<'t>>) -> Result<(), EncodeError> {
    while let Some(at) = find(text, name) {
        if at > 0 {
            push(parts, Part::Text(&text[..at]))?;
        }
        push(parts, Part::Token(token))?;
        text = &text[at + name.len()..];
    }
    if !text.is_empty() {
        push(parts, Part::Text(text))?;
    }
    Ok(())
}

/// Where a name stands in a text; a name that is no text itself stands in none.
fn find(text: &str, name: &[u8]) -> Option<usize> {
    let stands_at = |&at: &usize| text.is_char_boundary(at) && text.is_char_boundary(at + name.len());
    let mut windows = text.as_bytes().windows(name.len()).enumerate();
    windows.find_map(|(at, window)| (window == name).then_some(at).filter(stands_at))
}

fn push<T>(items: &mut Vec<T>, item: T) -> Result<(), EncodeError> {
    items.try_reserve(1)?;
    items.push(item);
    Ok(())
}

/// A text that is being encoded.
struct Encoding<'v> {
    vocabulary: &'v Vocabulary<'v>,
    row: Row,
    tokens: Vec<u32>,
}

impl Encoding<'_> {
    fn push(&mut self, token: u32) -> Result<(), EncodeError> {
        push(&mut self.tokens, token)
    }

    /// Encodes a text without special tokens, with a space in front or not.
    fn text(&mut self, text: &str, space: bool) -> Result<(), EncodeError> {
        let vocabulary = self.vocabulary;
        // In front of the first word.
        let mut space = space;
        let mut word = |word: &str| self.word(word, core::mem::take(&mut space));
        vocabulary.pretokenizer().words(vocabulary.tables.classes, text, &mut word)
    }

    /// Encodes a word: a text within which all neighbours can be joined.
    fn word(&mut self, word: &str, space: bool) -> Result<(), EncodeError> {
        if let Some(token) = self.vocabulary.whole_word(word) {
            return self.push(token);
        }
        self.row.clear(word.len() + 1)?;
        for character in space.then_some(' ').into_iter().chain(word.chars()) {
            self.character(character)?;
        }
        self.row.merge(self.vocabulary);
        for symbol in self.row.symbols() {
            if (symbol as usize) < self.vocabulary.vocab_size() {
                push(&mut self.tokens, symbol)?;
            } else {
                self.vocabulary.byte_tokens(symbol, &mut self.tokens)?;
            }
        }
        Ok(())
    }

    /// Puts a character's symbol at the end of the row, or those of its bytes.
    fn character(&mut self, character: char) -> Result<(), EncodeError> {
        if let Some(symbol) = self.vocabulary.character(character) {
            self.row.push(symbol);
            return Ok(());
        }
        for &byte in character.encode_utf8(&mut [0; 4]).as_bytes() {
            match super::format::some(self.vocabulary.byte(byte)) {
                Some(symbol) => self.row.push(symbol),
                None => self.vocabulary.without_piece(byte)?,
            }
        }
        Ok(())
    }
}

impl Vocabulary<'_> {
    /// The tokens of the bytes of a symbol that is no token.
    fn byte_tokens(&self, symbol: u32, tokens: &mut Vec<u32>) -> Result<(), EncodeError> {
        for &byte in self.symbol_text(symbol) {
            let token = self.byte(byte);
            if token < self.header.vocab_size {
                push(tokens, token)?;
            } else {
                self.without_piece(byte)?;
            }
        }
        Ok(())
    }

    /// What becomes of a byte that no token stands for.
    fn without_piece(&self, byte: u8) -> Result<(), EncodeError> {
        if self.header.leave_out() { Ok(()) } else { Err(EncodeError::NoPiece { byte }) }
    }
}
