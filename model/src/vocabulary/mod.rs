//! The vocabulary: pieces of text by token id, and text to token ids.
//!
//! The host decides what a model's tokenizer file means (`host::vocabulary`) and packs it as tables
//! of integers; here is one algorithm over these tables, whoever trained the model:
//!
//! 1. The text is cut at the special tokens that are looked for (`encoder`).
//! 2. What is between them is cut into words, or not (`pretokenizer`, `classes`).
//! 3. Each character of a word becomes a symbol, or each of its bytes does, by table.
//! 4. Neighbours are joined, the pair with the best rank first, until no pair has one (`merge`).
//!    That is byte-level BPE where ranks are the order in which merges were learnt, and
//!    SentencePiece's and llama2.c's rule where they are the order of the scores.
//! 5. Symbols that are no tokens become their bytes' tokens.
mod classes;
mod encoder;
mod format;
mod merge;
mod pretokenizer;

#[cfg(feature = "std")]
pub(crate) use classes::Class;
pub use encoder::{EncodeError, SpecialTokens};
pub use format::VocabularyError;
#[cfg(feature = "std")]
pub(crate) use format::{Header, KIND_SHIFT, NONE};
pub(crate) use pretokenizer::Pretokenizer;

use format::{Merge, Tables};

/// A vocabulary, ready to use.
pub struct Vocabulary<'m> {
    header: format::Header,
    tables: Tables<'m>,
}

/// What a token is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// A piece of text; a character may be split over pieces.
    Text = 0,
    /// One byte of a character that has no piece.
    Byte = 1,
    /// It steers the model, and prints nothing: BOS, the end of a turn.
    Control = 2,
    /// What stands for text that no token has. Prints nothing.
    Unknown = 3,
    /// A number without a meaning. Prints nothing.
    Unused = 4,
}

impl Kind {
    const ALL: [Self; 5] = [Self::Text, Self::Byte, Self::Control, Self::Unknown, Self::Unused];

    /// The kind of a packed number.
    fn from_number(number: u32) -> Option<Self> {
        Self::ALL.get(number as usize).copied()
    }
}

/// What a token prints.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Piece<'v> {
    /// A piece of text; a character may be split over pieces.
    Text(&'v [u8]),
    /// The name of a byte piece, such as `<0x0A>`.
    ByteName([u8; 6]),
}

impl Piece<'_> {
    /// The bytes to print.
    pub fn bytes(&self) -> &[u8] {
        match self {
            Self::Text(text) => text,
            Self::ByteName(name) => name,
        }
    }
}

impl<'m> Vocabulary<'m> {
    /// Number of tokens.
    pub fn vocab_size(&self) -> usize {
        self.header.vocab_size as usize
    }

    /// What a token is; a number that is no token is an unused one.
    pub fn kind(&self, token: u32) -> Kind {
        if token >= self.header.vocab_size {
            return Kind::Unused;
        }
        let start = self.tables.starts[token as usize];
        Kind::from_number(start >> format::KIND_SHIFT).unwrap_or(Kind::Unused)
    }

    /// The text of a token: the bytes that it stands for, the name of a control token. Empty for a
    /// number that is no token.
    pub fn text(&self, token: u32) -> &'m [u8] {
        if token < self.header.vocab_size { self.symbol_text(token) } else { &[] }
    }

    /// What `token` prints after `previous`. Control tokens print nothing; the first piece after BOS
    /// loses the space that was put in front of the text, where the tokenizer does that (llama2.c,
    /// `decode`). A piece with a control character that would upset a screen is left out
    /// (llama2.c's `safe_printf`); bytes from 0x80 on stay, for they are parts of UTF-8 characters.
    ///
    /// With `raw` every token is printed as it stands in the vocabulary, byte pieces by their names.
    pub fn decode(&self, previous: u32, token: u32, raw: bool) -> Piece<'m> {
        let (kind, text) = (self.kind(token), self.text(token));
        if raw {
            return match (kind, text) {
                (Kind::Byte, &[byte]) => Piece::ByteName(byte_name(byte)),
                _ => Piece::Text(text),
            };
        }
        if !matches!(kind, Kind::Text | Kind::Byte) {
            return Piece::Text(&[]);
        }
        let text = match text {
            [b' ', rest @ ..]
                if kind == Kind::Text && self.header.space_in_front() && Some(previous) == self.bos() =>
            {
                rest
            }
            _ => text,
        };
        Piece::Text(if text.iter().any(|&byte| upsets_screen(byte)) { &[] } else { text })
    }

    /// Begin of sequence, where the model has one.
    pub fn bos(&self) -> Option<u32> {
        format::some(self.header.bos)
    }

    /// Whether BOS stands before each text.
    pub fn bos_first(&self) -> bool {
        self.header.bos_first()
    }

    /// What a text without a beginning starts from: BOS, or the token between two documents of the
    /// training text. Where there is neither, the model needs a beginning.
    pub fn start(&self) -> Option<u32> {
        format::some(self.header.start)
    }

    /// Whether a text ends where this token comes.
    #[allow(clippy::manual_contains)] // `contains` is for long lists, and twice the code
    pub fn ends(&self, token: u32) -> bool {
        self.endings().iter().any(|&ending| ending == token)
    }

    /// The tokens that end a text, in order.
    pub fn endings(&self) -> &[u32] {
        self.tables.endings
    }

    /// The bytes of a symbol: a token, or a part of tokens that is none itself.
    fn symbol_text(&self, symbol: u32) -> &'m [u8] {
        let offset = |symbol: usize| (self.tables.starts[symbol] & format::OFFSET_MASK) as usize;
        &self.tables.text[offset(symbol as usize)..offset(symbol as usize + 1)]
    }

    /// The symbol that a character is to begin with, where it has one.
    fn character(&self, character: char) -> Option<u32> {
        let characters = self.tables.characters;
        let found = characters.binary_search_by_key(&u32::from(character), |&[character, _]| character);
        Some(characters[found.ok()?][1])
    }

    /// The symbol of a byte, or [`NONE`].
    fn byte(&self, byte: u8) -> u32 {
        self.tables.bytes[usize::from(byte)]
    }

    /// The token whose text is a whole word, where the tokenizer looks for it.
    fn whole_word(&self, word: &str) -> Option<u32> {
        let tokens = self.tables.whole_words;
        let found = tokens.binary_search_by_key(&word.as_bytes(), |&token| self.symbol_text(token));
        Some(tokens[found.ok()?])
    }

    /// What two neighbours make.
    fn merge_of(&self, left: u32, right: u32) -> Option<Merge> {
        let merges = self.tables.merges;
        let found = merges.binary_search_by_key(&(left, right), |&[left, right, ..]| (left, right));
        Some(merges[found.ok()?])
    }

    fn pretokenizer(&self) -> Pretokenizer {
        Pretokenizer::from_number(self.header.pretokenizer).unwrap_or(Pretokenizer::None)
    }
}

/// The name of a byte piece: `<0x0A>`.
fn byte_name(byte: u8) -> [u8; 6] {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    let digit = |digit: u8| DIGITS[usize::from(digit)];
    [b'<', b'0', b'x', digit(byte >> 4), digit(byte & 15), b'>']
}

/// Control characters other than white space.
fn upsets_screen(byte: u8) -> bool {
    (byte < b' ' && !matches!(byte, b'\t'..=b'\r')) || byte == 0x7F
}

#[cfg(test)]
mod tests;
