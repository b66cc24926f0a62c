//! llama2.c tokenizer files. A file that is accepted packs to a vocabulary of its pieces; whatever a token prints
//! is printed without a fault; and each piece that is text is written in the vocabulary's tokens.
#![no_main]
use libfuzzer_sys::fuzz_target;
use model::host::vocabulary::llama2c::{pack, pieces};
use model::vocabulary::{SpecialTokens, Vocabulary};

/// Pieces that are encoded of each vocabulary.
const ENCODED: usize = 64;

fuzz_target!(|data: &[u8]| {
    let Ok(found) = pieces(data) else {
        assert!(pack(data).is_err(), "a file whose pieces cannot be read cannot be packed");
        return;
    };
    let Ok(words) = pack(data) else { return };
    assert!(Vocabulary::parse(&words, found.len() + 1).is_err(), "there are {} pieces", found.len());
    let vocabulary = Vocabulary::parse(&words, found.len()).expect("what was packed is good");
    for (token, &(piece, _)) in (0..).zip(&found) {
        for previous in [0, 1] {
            let printed = vocabulary.decode(previous, token, false);
            assert!(printed.bytes().len() <= piece.len());
        }
    }
    assert_eq!(vocabulary.decode(0, found.len() as u32, false).bytes(), b"");
    for (piece, _) in found.iter().take(ENCODED) {
        let Ok(text) = str::from_utf8(piece) else { continue };
        if let Ok(tokens) = vocabulary.encode(text, SpecialTokens::AreText) {
            assert_eq!(tokens.is_empty(), text.is_empty());
            assert!(tokens.iter().all(|&token| (token as usize) < found.len()));
        }
    }
});
