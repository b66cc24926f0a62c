//! Packed vocabularies: whatever passes the checks encodes any text and decodes any token without a
//! fault, in time.
//!
//! The input is a text's length in one byte, the text, and the vocabulary.
#![no_main]
use libfuzzer_sys::{Corpus, fuzz_target};
use model::vocabulary::{SpecialTokens, Vocabulary};

fuzz_target!(|data: &[u8]| -> Corpus {
    let Some((&length, rest)) = data.split_first() else { return Corpus::Reject };
    let Some((text, packed)) = rest.split_at_checked(length.into()) else { return Corpus::Reject };
    let text = String::from_utf8_lossy(text);
    let words: Vec<u32> = packed.as_chunks().0.iter().map(|&word| u32::from_le_bytes(word)).collect();
    let vocab_size = words.first().map_or(0, |&tokens| tokens as usize);
    let Ok(vocabulary) = Vocabulary::parse(&words, vocab_size) else { return Corpus::Keep };

    for special in [SpecialTokens::AreText, SpecialTokens::AreTokens] {
        if let Ok(tokens) = vocabulary.encode(&text, special) {
            assert!(tokens.iter().all(|&token| (token as usize) < vocab_size));
        }
    }
    let start = vocabulary.start().into_iter().chain(vocabulary.bos());
    assert!(start.chain(vocabulary.endings().iter().copied()).all(|token| (token as usize) < vocab_size));
    for token in 0..=vocab_size as u32 {
        for previous in [0, 1] {
            let printed = vocabulary.decode(previous, token, false).bytes().len();
            assert!(printed <= vocabulary.text(token).len());
            vocabulary.decode(previous, token, true);
        }
    }
    Corpus::Keep
});
