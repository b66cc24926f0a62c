use super::*;
use crate::tokenizer::BOS;
use proptest::prelude::*;

/// The project's own tokenizer: 512 pieces with byte fallback.
fn bedtime() -> Tokenizer<'static> {
    let file = include_bytes!("../../bedtime260K/bedtime260K.tok.bin");
    Tokenizer::parse(file, 512).unwrap()
}

/// llama2.c's `encode`, written from its description with floats and a search through all pieces:
/// slow, and without a line in common with the encoder.
fn llama2c_encode(text: &str) -> Vec<u32> {
    let file = include_bytes!("../../bedtime260K/bedtime260K.tok.bin");
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

fn text_of(tokenizer: &Tokenizer, tokens: &[u32]) -> Vec<u8> {
    let mut previous = BOS;
    let mut text = Vec::new();
    for &token in tokens {
        text.extend(tokenizer.decode(previous, token, false).bytes());
        previous = token;
    }
    text
}

proptest! {
    #[test]
    fn encodes_as_llama2c(text in "([a-zA-Z ,.!?\n]|Once upon|the |\\PC){0,60}") {
        let tokenizer = bedtime();
        let encoder = Encoder::new(&tokenizer).unwrap();
        prop_assert_eq!(encoder.encode(&text).unwrap(), llama2c_encode(&text));
    }

    #[test]
    fn decoding_brings_the_text_back(text in "[\\PC\n\t]{0,60}") {
        let tokenizer = bedtime();
        let tokens = Encoder::new(&tokenizer).unwrap().encode(&text).unwrap();
        prop_assert_eq!(String::from_utf8(text_of(&tokenizer, &tokens)).unwrap(), text);
    }
}

#[test]
fn the_table_takes_what_is_planned_for_it() {
    let tokenizer = bedtime();
    let slots = Encoder::new(&tokenizer).unwrap().slots;
    assert_eq!(Encoder::memory(tokenizer.vocab_size()), 4 * slots.capacity() as u64);
}

#[test]
fn known_encodings() {
    let tokenizer = bedtime();
    let encoder = Encoder::new(&tokenizer).unwrap();
    assert_eq!(encoder.encode("").unwrap(), []);
    let euro = encoder.encode("€").unwrap();
    assert_eq!(euro[euro.len() - 3..], [0xE2 + 3, 0x82 + 3, 0xAC + 3], "byte fallback");
    let once = encoder.encode("Once upon a time").unwrap();
    assert!(once.len() < 8, "pieces are merged: {once:?}");
}

#[test]
fn a_vocabulary_without_byte_pieces_says_which_byte_it_lacks() {
    let file = crate::tokenizer::tests::file_of(&[b"<unk>", b"<s>", b"</s>", b" ", b"a"]);
    let tokenizer = Tokenizer::parse(&file, 5).unwrap();
    let encoder = Encoder::new(&tokenizer).unwrap();
    assert_eq!(encoder.encode("aa"), Ok(vec![3, 4, 4]));
    assert_eq!(encoder.encode("ab"), Err(EncodeError::NoPiece { byte: b'b' }));
}

#[test]
fn lowest_score_is_llama2cs() {
    assert_eq!(LOWEST_SCORE, -((1e10f32).to_bits() as i32));
}
