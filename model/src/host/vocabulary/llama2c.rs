//! llama2.c's `tokenizer.bin`: the length of the longest piece (u32), then for each token its score
//! (f32), its length (i32) and its bytes. Pieces hold a space where SentencePiece has ▁.
//!
//! Its rule (`encode`): a space goes in front; each character is its piece, or its UTF-8 bytes' byte
//! pieces where it has none; then neighbours are joined, the pair whose joined piece has the best
//! score first. Of equal pieces the first is taken. No piece is special.
use super::TokenizerError;
use super::packer::{Parts, byte_of_name, merges_by_score};
use crate::vocabulary::{Header, Kind, NONE, Pretokenizer};
use std::collections::HashMap;

/// Begin of sequence: each story starts from it.
const BOS: u32 = 1;
/// End of sequence.
const EOS: u32 = 2;
/// Bytes before the first piece: the length of the longest piece.
const FILE_HEADER: usize = 4;
/// Only pieces with a score above it are made.
const LOWEST_SCORE: f32 = -1e10;

/// A piece of a file: its bytes and its score.
pub type Piece<'f> = (&'f [u8], f32);

/// The pieces of a file.
pub fn pieces(file: &[u8]) -> Result<Vec<Piece<'_>>, TokenizerError> {
    let mut rest = file.get(FILE_HEADER..).ok_or(TokenizerError::Truncated { piece: 0 })?;
    let mut pieces = Vec::new();
    while !rest.is_empty() {
        let piece = pieces.len();
        let truncated = TokenizerError::Truncated { piece };
        let Some((&[s0, s1, s2, s3, l0, l1, l2, l3], text)) = rest.split_first_chunk() else {
            return Err(truncated);
        };
        let score = f32::from_le_bytes([s0, s1, s2, s3]);
        if score.is_nan() {
            return Err(TokenizerError::BadScore { piece });
        }
        let length = i32::from_le_bytes([l0, l1, l2, l3]);
        let size = usize::try_from(length).map_err(|_| TokenizerError::BadLength { piece, length })?;
        let (text, behind) = text.split_at_checked(size).ok_or(truncated)?;
        pieces.push((text, score));
        rest = behind;
    }
    Ok(pieces)
}

/// Packs a file.
pub fn pack(file: &[u8]) -> Result<Vec<u32>, TokenizerError> {
    let pieces = pieces(file)?;
    let mut known = HashMap::new();
    let mut bytes = [NONE; 256];
    for (token, &(text, _)) in pieces.iter().enumerate() {
        known.entry(text).or_insert(token as u32);
        if let Some(byte) = byte_of_name(text)
            && bytes[usize::from(byte)] == NONE
        {
            bytes[usize::from(byte)] = token as u32;
        }
    }
    let found = pieces.iter().enumerate().filter(|(token, (text, _))| known[text] == *token as u32);
    let made: Vec<_> = found
        .filter(|(_, (_, score))| *score > LOWEST_SCORE)
        .map(|(token, &(text, score))| (token as u32, text, score))
        .collect();
    let character = |(text, &token): (&&[u8], &u32)| {
        let mut characters = str::from_utf8(text).ok()?.chars();
        characters.next().filter(|_| characters.next().is_none()).map(|character| (character, token))
    };
    let token = |&(text, _): &Piece<'_>| match byte_of_name(text) {
        Some(byte) => (Kind::Byte, vec![byte]),
        None => (Kind::Text, text.to_vec()),
    };
    let id = |id: u32| Some(id).filter(|&id| (id as usize) < pieces.len());
    let bos = id(BOS);
    Parts {
        tokens: pieces.iter().map(token).collect(),
        other_symbols: Vec::new(),
        bytes,
        characters: known.iter().filter_map(character).collect(),
        merges: merges_by_score(&made, &known)?,
        whole_words: Vec::new(),
        special: Vec::new(),
        endings: bos.into_iter().chain(id(EOS)).collect(),
        pretokenizer: Pretokenizer::None,
        classes: Vec::new(),
        flags: Header::SPACE_IN_FRONT | if bos.is_some() { Header::BOS_FIRST } else { 0 },
        bos,
        start: bos,
    }
    .pack()
}

#[cfg(test)]
mod tests;
