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
                write!(f, "the tokenizer has no piece for the byte {byte:02x}h, use other characters")
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

impl Vocabulary<'_> {
    /// The tokens of `text`, without BOS; none for an empty text.
    pub fn encode(&self, text: &str, special: SpecialTokens) -> Result<Vec<u32>, EncodeError> {
        let (row, tokens) = (Row::default(), Vec::new());
        let mut encoding = Encoding { vocabulary: self, special, row, tokens, after_special: true };
        encoding.text(text, self.tables.special)?;
        Ok(encoding.tokens)
    }
}

/// The text before a name and behind it; a name that is no text itself stands nowhere.
fn split_at_name<'t>(text: &'t str, name: &[u8]) -> Option<(&'t str, &'t str)> {
    let mut windows = text.as_bytes().windows(name.len()).enumerate().filter(|&(_, window)| window == name);
    windows.find_map(|(at, _)| Some((text.get(..at)?, text.get(at + name.len()..)?)))
}

fn push(tokens: &mut Vec<u32>, token: u32) -> Result<(), EncodeError> {
    tokens.try_reserve(1)?;
    tokens.push(token);
    Ok(())
}

/// A text that is being encoded.
struct Encoding<'v> {
    vocabulary: &'v Vocabulary<'v>,
    special: SpecialTokens,
    row: Row,
    tokens: Vec<u32>,
    /// The text begins here, or a special token came before.
    after_special: bool,
}

impl Encoding<'_> {
    /// Encodes a text: cuts it wherever the first of these special tokens stands, then what is left
    /// at the next, as llama.cpp does. It calls itself only for a token that is there.
    fn text(&mut self, mut text: &str, mut special_tokens: &[u32]) -> Result<(), EncodeError> {
        while let Some(&token) = special_tokens.split_off_first() {
            if self.special == SpecialTokens::AreText && self.vocabulary.kind(token) != Kind::Text {
                continue;
            }
            let name = self.vocabulary.symbol_text(token);
            while let Some((before, behind)) = split_at_name(text, name) {
                self.text(before, special_tokens)?;
                push(&mut self.tokens, token)?;
                self.after_special = true;
                text = behind;
            }
        }
        let vocabulary = self.vocabulary;
        vocabulary.pretokenizer().words(vocabulary.tables.classes, text, &mut |word| self.word(word))
    }

    /// Encodes a word: a text within which all neighbours can be joined.
    fn word(&mut self, word: &str) -> Result<(), EncodeError> {
        let space = core::mem::take(&mut self.after_special) && self.vocabulary.header.space_in_front();
        if let Some(token) = self.vocabulary.whole_word(word) {
            return push(&mut self.tokens, token);
        }
        self.row.clear(word.len() + 1)?;
        if space {
            self.character(' ')?;
        }
        word.chars().try_for_each(|character| self.character(character))?;
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
    #[inline(never)] // a small frame: what is in it is reached by short instructions
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
