//! llama2.c tokenizer files. A file that is accepted is nothing but its pieces and scores; each piece
//! is found by its text; and whatever a token prints is printed without a fault.
#![no_main]
use libfuzzer_sys::fuzz_target;
use model::encoder::{EncodeError, Encoder};
use model::tokenizer::Tokenizer;

fuzz_target!(|data: &[u8]| {
    let Ok(pieces) = Tokenizer::count(data) else {
        let refused = (0..4).all(|vocab_size| Tokenizer::parse(data, vocab_size).is_err());
        assert!(refused, "a file whose pieces cannot be counted cannot be read");
        return;
    };
    assert!(Tokenizer::parse(data, pieces + 1).is_err(), "there are {pieces} pieces");
    let tokenizer = Tokenizer::parse(data, pieces).expect("its pieces were counted");
    assert_eq!(tokenizer.vocab_size(), pieces);

    let mut file = &data[4..];
    for token in 0..pieces as u32 {
        let (header, rest) = file.split_at(8);
        let (piece, rest) = rest.split_at(tokenizer.piece(token).len());
        assert_eq!(piece, tokenizer.piece(token));
        assert_eq!(i32::from_le_bytes(header[4..].try_into().expect("four bytes")) as usize, piece.len());
        file = rest;
        assert_eq!(tokenizer.decode(0, token, true).bytes(), piece);
        for previous in [0, 1] {
            let printed = tokenizer.decode(previous, token, false).bytes().len();
            assert!(printed <= piece.len());
        }
    }
    assert!(file.is_empty(), "nothing is behind the last piece");
    assert_eq!(tokenizer.decode(0, pieces as u32, false).bytes(), b"");

    let scores: Vec<f32> = scores(data, &tokenizer);
    for pair in (0..pieces as u32).collect::<Vec<_>>().windows(2) {
        let floats = scores[pair[0] as usize].partial_cmp(&scores[pair[1] as usize]);
        assert_eq!(floats, Some(tokenizer.score(pair[0]).cmp(&tokenizer.score(pair[1]))));
    }
    encode_pieces(&tokenizer);
});

/// The scores as the file has them.
fn scores(file: &[u8], tokenizer: &Tokenizer) -> Vec<f32> {
    let mut at = 4;
    let mut score = |token| {
        let score = f32::from_le_bytes(file[at..at + 4].try_into().expect("four bytes"));
        at += 8 + tokenizer.piece(token).len();
        score
    };
    (0..tokenizer.vocab_size() as u32).map(&mut score).collect()
}

/// Encodes each piece that is text: tokens of the vocabulary come of it, or a byte that has no piece.
fn encode_pieces(tokenizer: &Tokenizer) {
    let encoder = Encoder::new(tokenizer).expect("there is memory for a small vocabulary");
    for token in 0..tokenizer.vocab_size().min(64) as u32 {
        let Ok(text) = str::from_utf8(tokenizer.piece(token)) else { continue };
        match encoder.encode(text) {
            Ok(tokens) => {
                assert_eq!(tokens.is_empty(), text.is_empty());
                assert!(tokens.iter().all(|&token| (token as usize) < tokenizer.vocab_size()));
            }
            Err(EncodeError::NoPiece { .. }) => assert!(tokenizer.vocab_size() < 3 + 256),
            Err(error) => panic!("{error}"),
        }
    }
}
