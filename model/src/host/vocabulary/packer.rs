//! Puts the parts of a vocabulary together.
use super::TokenizerError;
use crate::vocabulary::{Header, KIND_SHIFT, Kind, NONE, Pretokenizer};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// The parts of a vocabulary, as [`crate::vocabulary`] knows them.
pub(super) struct Parts {
    /// The tokens by id: what they are and the bytes that they stand for.
    pub tokens: Vec<(Kind, Vec<u8>)>,
    /// The bytes of symbols that are no tokens; they are numbered from the number of tokens on.
    pub other_symbols: Vec<Vec<u8>>,
    /// The symbol of each byte, or [`NONE`].
    pub bytes: [u32; 256],
    /// Characters that are symbols.
    pub characters: BTreeMap<char, u32>,
    /// What two symbols make.
    pub merges: Merges,
    /// Tokens that a whole word is looked up among.
    pub whole_words: Vec<u32>,
    /// Tokens that are looked for in the text before all else.
    pub special: Vec<u32>,
    /// Tokens that end a text.
    pub endings: BTreeSet<u32>,
    /// How text is cut into words.
    pub pretokenizer: Pretokenizer,
    /// The packed table of classes that the pre-tokenizer needs.
    pub classes: Vec<u32>,
    /// The flags of [`Header`].
    pub flags: u32,
    /// Begin of sequence.
    pub bos: Option<u32>,
    /// What a text without a beginning starts from.
    pub start: Option<u32>,
}

/// A table of merges: left and right symbol, rank, and the symbol that they make.
pub(super) type Merges = BTreeMap<(u32, u32), (u32, u32)>;

impl Parts {
    /// The packed vocabulary.
    pub fn pack(mut self) -> Result<Vec<u32>, TokenizerError> {
        self.sort();
        let texts = || {
            let tokens = self.tokens.iter().map(|(kind, text)| (*kind, text));
            tokens.chain(self.other_symbols.iter().map(|text| (Kind::Text, text)))
        };
        let mut starts = Vec::with_capacity(self.tokens.len() + self.other_symbols.len() + 1);
        let mut end = 0;
        for (kind, text) in texts() {
            starts.push((kind as u32) << KIND_SHIFT | end);
            let length = u32::try_from(text.len()).ok();
            let sum = length.and_then(|length| end.checked_add(length));
            end = sum.filter(|end| end >> KIND_SHIFT == 0).ok_or(TokenizerError::TooLarge)?;
        }
        starts.push(end);
        let mut text: Vec<u8> = texts().flat_map(|(_, text)| text).copied().collect();
        text.resize(text.len().next_multiple_of(size_of::<u32>()), 0);

        let count = |length: usize| u32::try_from(length).map_err(|_| TokenizerError::TooLarge);
        let header = Header {
            vocab_size: count(self.tokens.len())?,
            symbols: count(starts.len() - 1)?,
            text_bytes: end,
            characters: count(self.characters.len())?,
            merges: count(self.merges.len())?,
            whole_words: count(self.whole_words.len())?,
            special: count(self.special.len())?,
            endings: count(self.endings.len())?,
            classes: count(self.classes.len())?,
            pretokenizer: self.pretokenizer as u32,
            flags: self.flags,
            bos: self.bos.unwrap_or(NONE),
            start: self.start.unwrap_or(NONE),
        };
        let mut words = header.to_words().to_vec();
        words.extend(starts);
        words.extend(text.as_chunks().0.iter().map(|&bytes| u32::from_le_bytes(bytes)));
        words.extend(self.bytes);
        words.extend(self.characters.iter().flat_map(|(&character, &symbol)| [character.into(), symbol]));
        words
            .extend(self.merges.iter().flat_map(|(&(left, right), &(rank, made))| [left, right, rank, made]));
        words.extend(self.whole_words);
        words.extend(self.special);
        words.extend(self.endings);
        words.extend(self.classes);
        Ok(words)
    }

    /// Puts the tables into the order in which they are searched.
    fn sort(&mut self) {
        let text = |&token: &u32| &self.tokens[token as usize].1[..];
        self.whole_words.sort_by_key(text);
        self.special.retain(|token| !text(token).is_empty());
        self.special.sort_by_key(|token| (std::cmp::Reverse(text(token).len()), *token));
    }
}

/// The longest piece of which all cuts are tried.
const LONGEST_PIECE: usize = 1024;

/// All merges that make a piece: wherever it can be cut into two known symbols, they make it.
/// `pieces` are the tokens that can be made, each with its text and score; `known` finds symbols by
/// text. Ranks are the order of the scores, the highest first; equal scores have equal ranks.
pub(super) fn merges_by_score(
    pieces: &[(u32, &[u8], f32)],
    known: &HashMap<&[u8], u32>,
) -> Result<Merges, TokenizerError> {
    // Both zeros are one score.
    let mut scores: Vec<f32> = pieces.iter().map(|&(_, _, score)| score + 0.0).collect();
    scores.sort_by(|a, b| b.total_cmp(a));
    scores.dedup();
    let mut merges = Merges::new();
    for &(token, text, score) in pieces {
        if text.len() > LONGEST_PIECE {
            let (token, length, limit) = (token as usize, text.len(), LONGEST_PIECE);
            return Err(TokenizerError::LongPiece { token, length, limit });
        }
        let rank = scores.partition_point(|&higher| higher > score) as u32;
        for at in 1..text.len() {
            let (left, right) = text.split_at(at);
            if let (Some(&left), Some(&right)) = (known.get(left), known.get(right)) {
                merges.insert((left, right), (rank, token));
            }
        }
    }
    Ok(merges)
}

/// The byte of a byte piece's name, such as `<0x0A>`.
pub(super) fn byte_of_name(name: &[u8]) -> Option<u8> {
    let &[b'<', b'0', b'x', high, low, b'>'] = name else { return None };
    let digit = |digit: u8| char::from(digit).to_digit(16);
    Some((digit(high)? << 4 | digit(low)?) as u8)
}
