//! GGUF's `llama`: SentencePiece's BPE.
//!
//! Spaces become ▁ (U+2581); characters are joined, the pair whose joined piece has the highest score
//! first; what is left and is no piece becomes byte tokens, which are found by their names `<0x00>` to
//! `<0xFF>`. Control, byte, unused and user-defined tokens are never made from text: SentencePiece
//! keeps all but the last apart, and the last are cut out of the text before.
//!
//! Source: sentencepiece's bpe_model.cc and model_interface.cc; llama.cpp's llm_tokenizer_spm.
use super::TokenizerError;
use super::packer::{Parts, byte_of_name, merges_by_score};
use super::special::{Special, kind};
use crate::host::gguf::{GgufVocabulary, TokenType};
use crate::vocabulary::{Header, Kind, NONE, Pretokenizer};
use std::collections::{BTreeMap, HashMap};

/// Stands for a space, in pieces and in the text.
const SPACE: char = '▁';

/// Packs such a tokenizer.
pub(super) fn pack(gguf: &GgufVocabulary) -> Result<Vec<u32>, TokenizerError> {
    let special = Special::of(gguf);
    let byte = |token: usize| match special.types[token] {
        TokenType::Normal | TokenType::Byte => byte_of_name(&gguf.tokens[token]),
        _ => None,
    };
    let mut bytes = [NONE; 256];
    let mut known: HashMap<&[u8], u32> = HashMap::new();
    let mut pieces = Vec::new();
    for (token, text) in gguf.tokens.iter().enumerate() {
        let id = token as u32;
        if let Some(byte) = byte(token) {
            let first = &mut bytes[usize::from(byte)];
            *first = id.min(*first);
        } else if special.types[token] == TokenType::Normal && !known.contains_key(&text[..]) {
            known.insert(text, id);
            pieces.push((id, &text[..], gguf.scores[token]));
        }
    }
    if let Some(&(token, ..)) = pieces.iter().find(|(_, _, score)| score.is_nan()) {
        return Err(TokenizerError::BadScore { piece: token as usize });
    }

    // Characters that are in pieces but are none themselves.
    let mut characters = BTreeMap::new();
    let mut other_symbols = Vec::new();
    for &(_, text, _) in &pieces {
        for (at, character) in str::from_utf8(text).unwrap_or_default().char_indices() {
            let utf8 = &text[at..at + character.len_utf8()];
            let symbol = *known.entry(utf8).or_insert_with(|| {
                other_symbols.push(text_of(utf8));
                (gguf.tokens.len() + other_symbols.len() - 1) as u32
            });
            characters.insert(character, symbol);
        }
    }
    // A space in a text is one in a piece; a space in a piece can be none in a text.
    characters.remove(&' ');
    if let Some(&symbol) = characters.get(&SPACE) {
        characters.insert(' ', symbol);
    }

    let token = |(token, text): (usize, &Vec<u8>)| match (byte(token), special.types[token]) {
        (Some(byte), _) => (Kind::Byte, vec![byte]),
        (None, TokenType::Byte) => (Kind::Unused, Vec::new()),
        (None, TokenType::Normal | TokenType::UserDefined) => (Kind::Text, text_of(text)),
        (None, other) => (kind(other), text.clone()),
    };
    let space = if gguf.add_space_prefix { Header::SPACE_IN_FRONT } else { 0 };
    Parts {
        tokens: gguf.tokens.iter().enumerate().map(token).collect(),
        other_symbols,
        bytes,
        characters,
        merges: merges_by_score(&pieces, &known)?,
        whole_words: Vec::new(),
        flags: space | special.flags(gguf),
        special: special.sought,
        endings: special.endings,
        pretokenizer: Pretokenizer::None,
        classes: Vec::new(),
        bos: special.bos,
        start: special.start,
    }
    .pack()
}

/// The text that a piece stands for: spaces for ▁.
fn text_of(piece: &[u8]) -> Vec<u8> {
    match str::from_utf8(piece) {
        Ok(piece) => piece.replace(SPACE, " ").into_bytes(),
        Err(_) => piece.to_vec(),
    }
}
