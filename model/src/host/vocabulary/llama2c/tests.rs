use super::*;
use crate::vocabulary::{EncodeError, SpecialTokens::AreText, Vocabulary};
use proptest::prelude::*;
use std::sync::LazyLock;

/// The project's own tokenizer: 512 pieces with byte fallback.
const BEDTIME: &[u8] = include_bytes!("../../../../bedtime260K/bedtime260K.tok.bin");
static VOCABULARY: LazyLock<Vocabulary<'static>> = LazyLock::new(|| unpacked(BEDTIME));

/// A file of these pieces; scores go down by one a piece.
fn file_of(pieces: &[&[u8]]) -> Vec<u8> {
    let mut file = 7u32.to_le_bytes().to_vec();
    for (token, piece) in pieces.iter().enumerate() {
        file.extend((-(token as f32)).to_le_bytes());
        file.extend((piece.len() as i32).to_le_bytes());
        file.extend(*piece);
    }
    file
}

fn unpacked(file: &[u8]) -> Vocabulary<'static> {
    Vocabulary::parse(pack(file).unwrap().leak(), pieces(file).unwrap().len()).unwrap()
}

/// llama2.c's `encode`, written from its description with a search through all pieces: slow, and
/// without a line in common with the encoder.
fn llama2c_encode(file: &[u8], text: &str) -> Vec<u32> {
    let (mut vocab, mut rest) = (Vec::new(), &file[4..]);
    while !rest.is_empty() {
        let score = f32::from_le_bytes(rest[..4].try_into().unwrap());
        let length = i32::from_le_bytes(rest[4..8].try_into().unwrap()) as usize;
        vocab.push((rest[8..8 + length].to_vec(), score));
        rest = &rest[8 + length..];
    }
    let lookup = |text: &[u8]| vocab.iter().position(|(piece, _)| piece == text);
    let mut tokens: Vec<usize> = Vec::new();
    if !text.is_empty() {
        tokens.push(lookup(b" ").unwrap());
    }
    for character in text.chars() {
        match lookup(character.to_string().as_bytes()) {
            Some(token) => tokens.push(token),
            None => tokens.extend(character.to_string().bytes().map(|byte| usize::from(byte) + 3)),
        }
    }
    loop {
        let mut best = (-1e10f32, 0, 0);
        for i in 0..tokens.len().saturating_sub(1) {
            let joined = [&vocab[tokens[i]].0[..], &vocab[tokens[i + 1]].0].concat();
            if let Some(token) = lookup(&joined)
                && vocab[token].1 > best.0
            {
                best = (vocab[token].1, token, i + 1);
            }
        }
        let (_, token, right) = best;
        if right == 0 {
            return tokens.into_iter().map(|token| token as u32).collect();
        }
        tokens.splice(right - 1..=right, [token]);
    }
}

proptest! {
    #[test]
    fn encodes_as_llama2c(text in "([a-zA-Z ,.!?\n]|Once upon|the |\\PC){0,60}") {
        prop_assert_eq!(VOCABULARY.encode(&text, AreText).unwrap(), llama2c_encode(BEDTIME, &text));
    }

    /// With equal pieces, equal scores, scores too low to be made, and byte pieces whose names grow
    /// together with what is behind them.
    #[test]
    fn encodes_as_llama2c_with_odd_pieces(
        odd in prop::collection::vec(("[ab <0]{1,4}|<0xC3>[ab]{1,2}|</?s>", -3..3i8), 0..30),
        text in "[ab <>0/sxé]{0,40}",
    ) {
        let bytes: Vec<_> = (0..=u8::MAX).map(|byte| format!("<0x{byte:02X}>")).collect();
        let fixed = ["<unk>", "<s>", "</s>"].into_iter().chain(bytes.iter().map(String::as_str)).chain([" ", "a", "<"]);
        let fixed: Vec<_> = fixed.map(|piece| (piece, 0.0)).collect();
        let odd = odd.iter().map(|(piece, score)| (&piece[..], if *score == -3 { -1e10 } else { f32::from(*score) }));
        let mut file = vec![0; 4];
        for (piece, score) in fixed.into_iter().chain(odd) {
            file.extend(score.to_le_bytes());
            file.extend((piece.len() as i32).to_le_bytes());
            file.extend(piece.as_bytes());
        }
        prop_assert_eq!(unpacked(&file).encode(&text, AreText).unwrap(), llama2c_encode(&file, &text));
    }

    #[test]
    fn decoding_brings_the_text_back(text in "[\\PC\n\t]{0,60}") {
        let tokens = VOCABULARY.encode(&text, AreText).unwrap();
        let previous = [BOS].into_iter().chain(tokens.iter().copied());
        let pieces = previous.zip(&tokens).map(|(previous, &token)| VOCABULARY.decode(previous, token, false));
        let bytes: Vec<u8> = pieces.flat_map(|piece| piece.bytes().to_vec()).collect();
        prop_assert_eq!(String::from_utf8(bytes).unwrap(), text);
    }
}

#[test]
fn known_encodings() {
    assert_eq!(VOCABULARY.encode("", AreText).unwrap(), []);
    let euro = VOCABULARY.encode("€", AreText).unwrap();
    assert_eq!(euro[euro.len() - 3..], [0xE2 + 3, 0x82 + 3, 0xAC + 3], "byte fallback");
    let once = VOCABULARY.encode("Once upon a time", AreText).unwrap();
    assert!(once.len() < 8, "pieces are merged: {once:?}");
}

#[test]
fn stories_begin_and_end_as_llama2cs() {
    assert_eq!((VOCABULARY.bos(), VOCABULARY.start(), VOCABULARY.bos_first()), (Some(1), Some(1), true));
    assert_eq!(VOCABULARY.endings(), [1, 2]);
    let small = unpacked(&file_of(&[b"a"]));
    assert_eq!((small.bos(), small.endings()), (None, &[][..]));
}

#[test]
fn decoding_follows_llama2c() {
    let pieces: [&[u8]; 8] = [b"<unk>", b"<s>", b"</s>", b"<0x0A>", b" Once", b" ", b"<0x1b>", b"\xC3"];
    let vocabulary = unpacked(&file_of(&pieces));
    let text = |previous, token, raw| vocabulary.decode(previous, token, raw).bytes().to_vec();
    assert_eq!(text(BOS, 4, false), b"Once");
    assert_eq!(text(EOS, 4, false), b" Once");
    assert_eq!(text(BOS, 4, true), b" Once");
    assert_eq!(text(5, 3, false), b"\n");
    assert_eq!(text(5, 3, true), b"<0x0A>");
    assert_eq!(text(5, 0, false), b"<unk>");
    assert_eq!(text(5, 6, false), b"", "escape would upset the screen");
    assert_eq!(text(5, 7, false), b"\xC3", "part of a character");
    assert_eq!(text(5, 8, false), b"", "not in the vocabulary");
}

#[test]
fn byte_pieces_are_found_by_their_names() {
    let vocabulary = unpacked(&file_of(&[b"<unk>", b"<s>", b"</s>", b"a", b" ", b"<0x0a>", b"<0x0A>"]));
    assert_eq!(vocabulary.encode("a\na", AreText), Ok(vec![4, 3, 5, 3]));
}

#[test]
fn a_vocabulary_without_byte_pieces_says_which_byte_it_lacks() {
    let vocabulary = unpacked(&file_of(&[b"<unk>", b"<s>", b"</s>", b" ", b"a"]));
    assert_eq!(vocabulary.encode("aa", AreText), Ok(vec![3, 4, 4]));
    assert_eq!(vocabulary.encode("ab", AreText), Err(EncodeError::NoPiece { byte: b'b' }));
}

#[test]
fn a_file_cut_anywhere_is_refused_or_has_fewer_pieces() {
    let file = file_of(&[b"<unk>", b"<s>", b"</s>", b"a"]);
    for end in 0..file.len() {
        let count = pieces(&file[..end]).map(|pieces| pieces.len());
        assert!(count.is_err() || count.is_ok_and(|count| count < 4), "cut at {end}");
    }
}

#[test]
fn lies_are_refused() {
    let file = file_of(&[b"<unk>", b"<s>"]);
    let mut negative = file.clone();
    negative[8..12].copy_from_slice(&(-5i32).to_le_bytes());
    assert_eq!(pack(&negative), Err(TokenizerError::BadLength { piece: 0, length: -5 }));
    let mut nan = file;
    nan[4..8].copy_from_slice(&f32::NAN.to_le_bytes());
    assert_eq!(pack(&nan), Err(TokenizerError::BadScore { piece: 0 }));
}
