//! The packed vocabulary: what the host writes and the machine checks and reads in place.
//!
//! All numbers are little-endian u32, "words". The header's words come first, in the order of
//! [`Header`]'s fields, then the tables, one behind the other:
//!
//! | table | entries | an entry |
//! | --- | --- | --- |
//! | starts | symbols + 1 | kind (4 bits), where the symbol's text starts (28 bits) |
//! | text | text bytes | the texts, one behind the other; zeros fill the last word |
//! | bytes | 256 | the symbol of a byte, or `FFFFFFFFh` |
//! | characters | characters | a character, and the symbol that it is |
//! | merges | merges | left symbol, right symbol, rank, the symbol that they make |
//! | whole words | whole words | a token, in the order of the tokens' texts |
//! | special | special tokens | a token, the longest text first |
//! | endings | endings | a token |
//! | classes | classes | a range's first character (24 bits), its class (8 bits) |
//!
//! Characters, merges (by left and right), endings and classes are in order, for binary search. A
//! symbol below the vocabulary's size is a token; the symbols behind it are parts of tokens that
//! are none themselves.
use super::classes::Classes;
use super::pretokenizer::Pretokenizer;
use super::{Kind, Vocabulary};
use core::fmt;

/// Stands for "no token" and "no symbol".
pub(crate) const NONE: u32 = u32::MAX;
/// Bits of a text's start below its kind.
pub(crate) const KIND_SHIFT: u32 = 28;
/// The bits of a text's start.
pub(super) const OFFSET_MASK: u32 = (1 << KIND_SHIFT) - 1;
/// Values of a byte.
const BYTES: u32 = 256;

/// A line of the table of characters: the character, its symbol.
pub(super) type Character = [u32; 2];
/// A line of the table of merges: left symbol, right symbol, rank, the symbol that they make.
pub(super) type Merge = [u32; 4];

/// The header: how long the tables are, and what does not take a table.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Header {
    /// Number of tokens.
    pub vocab_size: u32,
    /// Number of symbols, the tokens among them.
    pub symbols: u32,
    /// Bytes of text.
    pub text_bytes: u32,
    /// Entries of the table of characters.
    pub characters: u32,
    /// Entries of the table of merges.
    pub merges: u32,
    /// Entries of the table of whole words.
    pub whole_words: u32,
    /// Entries of the table of special tokens.
    pub special: u32,
    /// Entries of the table of endings.
    pub endings: u32,
    /// Entries of the table of classes.
    pub classes: u32,
    /// How text is cut into words: a number of [`Pretokenizer`].
    pub pretokenizer: u32,
    /// [`Self::BOS_FIRST`] and the other flags.
    pub flags: u32,
    /// Begin of sequence, or [`NONE`].
    pub bos: u32,
    /// What a text without a beginning starts from, or [`NONE`].
    pub start: u32,
}

impl Header {
    /// Words of the header.
    pub const WORDS: usize = 13;
    /// Flag: BOS stands before each text.
    pub const BOS_FIRST: u32 = 1;
    /// Flag: a space is put in front of a text, and taken away behind BOS.
    pub const SPACE_IN_FRONT: u32 = 2;
    /// Flag: a byte that has no token is left out; else the text is refused.
    pub const LEAVE_OUT: u32 = 4;
    /// All flags.
    const FLAGS: u32 = Self::BOS_FIRST | Self::SPACE_IN_FRONT | Self::LEAVE_OUT;

    /// The header as words.
    #[cfg(feature = "std")]
    pub fn to_words(&self) -> [u32; Self::WORDS] {
        [
            self.vocab_size,
            self.symbols,
            self.text_bytes,
            self.characters,
            self.merges,
            self.whole_words,
            self.special,
            self.endings,
            self.classes,
            self.pretokenizer,
            self.flags,
            self.bos,
            self.start,
        ]
    }

    fn from_words(words: &[u32; Self::WORDS]) -> Self {
        let &[
            vocab_size,
            symbols,
            text_bytes,
            characters,
            merges,
            whole_words,
            special,
            endings,
            classes,
            pretokenizer,
            flags,
            bos,
            start,
        ] = words;
        Self {
            vocab_size,
            symbols,
            text_bytes,
            characters,
            merges,
            whole_words,
            special,
            endings,
            classes,
            pretokenizer,
            flags,
            bos,
            start,
        }
    }

    pub fn bos_first(&self) -> bool {
        self.flags & Self::BOS_FIRST != 0
    }

    pub fn space_in_front(&self) -> bool {
        self.flags & Self::SPACE_IN_FRONT != 0
    }

    pub fn leave_out(&self) -> bool {
        self.flags & Self::LEAVE_OUT != 0
    }

    /// The tables, which stand behind the header; `None` if they do not take all of `words`.
    fn tables<'m>(&self, mut words: &'m [u32]) -> Option<Tables<'m>> {
        let mut table = |entries: u32, of: usize| words.split_off(..(entries as usize).checked_mul(of)?);
        let tables = Tables {
            starts: table(self.symbols.checked_add(1)?, 1)?,
            text: bytemuck::cast_slice(table(self.text_bytes.div_ceil(size_of::<u32>() as u32), 1)?),
            bytes: table(BYTES, 1)?,
            characters: table(self.characters, size_of::<Character>() / size_of::<u32>())?.as_chunks().0,
            merges: table(self.merges, size_of::<Merge>() / size_of::<u32>())?.as_chunks().0,
            whole_words: table(self.whole_words, 1)?,
            special: table(self.special, 1)?,
            endings: table(self.endings, 1)?,
            classes: Classes(table(self.classes, 1)?),
        };
        words.is_empty().then_some(tables)
    }
}

/// The tables, where they lie.
pub(super) struct Tables<'m> {
    pub starts: &'m [u32],
    pub text: &'m [u8],
    pub bytes: &'m [u32],
    pub characters: &'m [Character],
    pub merges: &'m [Merge],
    pub whole_words: &'m [u32],
    pub special: &'m [u32],
    pub endings: &'m [u32],
    pub classes: Classes<'m>,
}

/// Why a packed vocabulary cannot be used.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum VocabularyError {
    /// It has another length than its header says.
    Length {
        /// Words found.
        words: usize,
    },
    /// It is of another model.
    TokenCount {
        /// Tokens found.
        tokens: usize,
        /// Tokens of the model.
        vocab_size: usize,
    },
    /// A number that no packer writes.
    Damaged {
        /// The table with the number.
        table: &'static str,
    },
}

impl fmt::Display for VocabularyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Length { words } => {
                write!(f, "the packed vocabulary has {words} words, not what its header says; ")?;
                f.write_str("pack the model again")
            }
            Self::TokenCount { tokens, vocab_size } => {
                write!(f, "the tokenizer has {tokens} pieces, the model has {vocab_size} tokens; ")?;
                f.write_str("name the model's own tokenizer")
            }
            Self::Damaged { table } => {
                write!(f, "the packed vocabulary is damaged ({table}); pack the model again")
            }
        }
    }
}

impl core::error::Error for VocabularyError {}

impl<'m> Vocabulary<'m> {
    /// Checks a packed vocabulary of `vocab_size` tokens. Whatever passes can be used without a
    /// fault: all offsets, symbols and tokens are in range, and all tables that are searched in order.
    pub fn parse(words: &'m [u32], vocab_size: usize) -> Result<Self, VocabularyError> {
        let length = VocabularyError::Length { words: words.len() };
        let header = Header::from_words(words.first_chunk().ok_or(length)?);
        let tables = header.tables(&words[Header::WORDS..]).ok_or(length)?;
        let tokens = header.vocab_size as usize;
        if tokens != vocab_size {
            return Err(VocabularyError::TokenCount { tokens, vocab_size });
        }
        let vocabulary = Self { header, tables };
        match vocabulary.damaged_table() {
            Some(table) => Err(VocabularyError::Damaged { table }),
            None => Ok(vocabulary),
        }
    }

    /// The first table with a number that no packer writes.
    fn damaged_table(&self) -> Option<&'static str> {
        let Self { header, tables } = self;
        let symbol = |symbol: u32| symbol < header.symbols;
        let token = |token: &u32| *token < header.vocab_size;
        let in_order = |words: &[u32]| words.is_sorted_by(|a, b| a < b);

        let header_is_good = header.vocab_size <= header.symbols
            && header.flags & !Header::FLAGS == 0
            && Pretokenizer::from_number(header.pretokenizer).is_some()
            && [header.bos, header.start].iter().all(|id| *id == NONE || token(id))
            && (header.bos != NONE || !header.bos_first());
        let offset = |start: &u32| start & OFFSET_MASK;
        let starts_are_good = tables.starts.is_sorted_by_key(offset)
            && tables.starts.iter().all(|start| Kind::from_number(start >> KIND_SHIFT).is_some())
            && tables.starts.last().map(offset) == Some(header.text_bytes);
        // What follows looks into the texts, so it waits for the starts.
        if !header_is_good || !starts_are_good {
            return Some("header or starts");
        }
        let &Tables { bytes, characters, merges, whole_words, special, endings, classes, .. } = tables;
        [
            ("bytes", bytes.iter().all(|&byte| byte == NONE || symbol(byte))),
            ("characters", characters.is_sorted_by(|a, b| a[0] < b[0])),
            ("characters", characters.iter().all(|character| symbol(character[1]))),
            ("merges", merges.is_sorted_by(|a, b| a[..2] < b[..2])),
            (
                "merges",
                merges.iter().all(|&[left, right, _, made]| [left, right, made].map(symbol) == [true; 3]),
            ),
            ("whole words", whole_words.iter().all(token)),
            ("whole words", whole_words.is_sorted_by_key(|&token| self.text(token))),
            ("special tokens", special.iter().all(|id| token(id) && !self.text(*id).is_empty())),
            ("endings", endings.iter().all(token) && in_order(endings)),
            ("classes", classes.are_good()),
        ]
        .into_iter()
        .find_map(|(table, good)| (!good).then_some(table))
    }
}

/// A token, or [`NONE`].
pub(super) fn some(token: u32) -> Option<u32> {
    (token != NONE).then_some(token)
}
