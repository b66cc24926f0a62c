//! Text to tokens, by llama2.c's rules (`encode`): a space goes in front; each character is its
//! piece, or its UTF-8 bytes' byte pieces where it has none; then neighbours are merged, the pair
//! whose joined piece has the best score first, until no pair makes a piece.
use crate::allocation::zeroed;
use crate::tokenizer::{FIRST_BYTE, Tokenizer};
use alloc::vec::Vec;
use core::fmt;

/// llama2.c merges only pieces whose score is above -10^10; this is that score's place in the order
/// of [`Tokenizer::score`]: the bits of 1e10 as an f32, negated.
const LOWEST_SCORE: i32 = -0x5015_02F9;

/// Looks pieces up by their text.
pub struct Encoder<'t> {
    tokenizer: &'t Tokenizer<'t>,
    /// An open hash table of tokens, plus one; 0 is a free slot. Its length is a power of two, at
    /// least twice the vocabulary.
    slots: Vec<u32>,
}

/// Why a text cannot be encoded.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum EncodeError {
    /// The vocabulary has no piece for a byte.
    NoPiece {
        /// The byte.
        byte: u8,
    },
    /// No memory for the table or the tokens.
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

/// Slots of the table for so many tokens.
fn slots(vocab_size: usize) -> usize {
    (2 * vocab_size).next_power_of_two()
}

impl<'t> Encoder<'t> {
    /// Bytes that an encoder allocates.
    pub fn memory(vocab_size: usize) -> u64 {
        (size_of::<u32>() * slots(vocab_size)) as u64
    }

    /// Builds the table. Of equal pieces the lowest token is found.
    pub fn new(tokenizer: &'t Tokenizer) -> Result<Self, EncodeError> {
        let slots = zeroed(slots(tokenizer.vocab_size())).map_err(|_| EncodeError::OutOfMemory)?;
        let mut encoder = Self { tokenizer, slots };
        for token in 0..tokenizer.vocab_size() as u32 {
            if let Err(free) = encoder.find(tokenizer.piece(token), &[]) {
                encoder.slots[free] = token + 1;
            }
        }
        Ok(encoder)
    }

    /// The token whose piece is `left` and `right` joined, or the free slot where it would be.
    fn find(&self, left: &[u8], right: &[u8]) -> Result<u32, usize> {
        let mask = self.slots.len() - 1;
        let mut slot = hash(left, right) as usize & mask;
        loop {
            let Some(token) = self.slots[slot].checked_sub(1) else { return Err(slot) };
            if self.tokenizer.piece(token).strip_prefix(left) == Some(right) {
                return Ok(token);
            }
            slot = (slot + 1) & mask;
        }
    }

    /// The tokens of `text`, without BOS; none for an empty text.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>, EncodeError> {
        let mut tokens = Vec::new();
        // Each byte brings one token at most.
        tokens.try_reserve(text.len() + 1).map_err(|_| EncodeError::OutOfMemory)?;
        if text.is_empty() {
            return Ok(tokens);
        }
        for character in core::iter::once(' ').chain(text.chars()) {
            let mut utf8 = [0; 4];
            let utf8 = character.encode_utf8(&mut utf8).as_bytes();
            match self.find(utf8, &[]) {
                Ok(token) => tokens.push(token),
                Err(_) => {
                    for &byte in utf8 {
                        tokens.push(self.byte_token(byte)?);
                    }
                }
            }
        }
        self.merge(&mut tokens)?;
        Ok(tokens)
    }

    /// The token of a byte piece.
    fn byte_token(&self, byte: u8) -> Result<u32, EncodeError> {
        let token = FIRST_BYTE + u32::from(byte);
        if (token as usize) < self.tokenizer.vocab_size() {
            Ok(token)
        } else {
            Err(EncodeError::NoPiece { byte })
        }
    }

    /// Merges neighbours, the best score first, the leftmost of equal ones.
    fn merge(&self, tokens: &mut Vec<u32>) -> Result<(), EncodeError> {
        // What each token and its right neighbour make: looked up again only beside a merge.
        let mut pairs: Vec<Option<Merge>> = Vec::new();
        pairs.try_reserve_exact(tokens.len()).map_err(|_| EncodeError::OutOfMemory)?;
        pairs.extend(tokens.windows(2).map(|pair| self.pair(pair[0], pair[1])));
        loop {
            let mut best: Option<(usize, Merge)> = None;
            for (at, pair) in pairs.iter().enumerate() {
                if let Some(merge) = *pair
                    && best.is_none_or(|(_, best)| merge.score > best.score)
                {
                    best = Some((at, merge));
                }
            }
            let Some((at, merge)) = best else { return Ok(()) };
            tokens[at] = merge.token;
            tokens.remove(at + 1);
            pairs.remove(at);
            if at < pairs.len() {
                pairs[at] = self.pair(tokens[at], tokens[at + 1]);
            }
            if at > 0 {
                pairs[at - 1] = self.pair(tokens[at - 1], tokens[at]);
            }
        }
    }

    /// The piece that two tokens make.
    fn pair(&self, left: u32, right: u32) -> Option<Merge> {
        let token = self.find(self.tokenizer.piece(left), self.tokenizer.piece(right)).ok()?;
        let score = self.tokenizer.score(token);
        (score > LOWEST_SCORE).then_some(Merge { token, score })
    }
}

/// A piece that two neighbours make.
#[derive(Clone, Copy)]
struct Merge {
    token: u32,
    score: i32,
}

/// FNV-1a, 32 bits, over both parts (Fowler, Noll, Vo).
fn hash(left: &[u8], right: &[u8]) -> u32 {
    const OFFSET_BASIS: u32 = 0x811C_9DC5;
    const PRIME: u32 = 0x0100_0193;
    let bytes = left.iter().chain(right);
    bytes.fold(OFFSET_BASIS, |hash, &byte| (hash ^ u32::from(byte)).wrapping_mul(PRIME))
}

#[cfg(test)]
mod tests;
