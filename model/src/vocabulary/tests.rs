use super::SpecialTokens::*;
use super::*;
use crate::host::vocabulary::tests::{COMPLETE, byte_level, sentence_piece};
use crate::host::vocabulary::{llama2c, pack_gguf};
use proptest::prelude::*;
use std::sync::LazyLock;

/// Packed vocabularies of all rules.
static PACKED: LazyLock<Vec<Vec<u32>>> = LazyLock::new(|| {
    let mut files: Vec<_> = ["smollm", "gpt-2", "llama-bpe", "default"]
        .map(|pre| pack_gguf(&byte_level(pre, &[("a", "b"), ("Ġ", "ab")])).unwrap())
        .into();
    files.push(pack_gguf(&sentence_piece(&["▁a", "a", "▁", "b", "x€"])).unwrap());
    files.push(llama2c::pack(include_bytes!("../../bedtime260K/bedtime260K.tok.bin")).unwrap());
    files
});

/// Does all that can be done with a vocabulary.
fn use_all(vocabulary: &Vocabulary, text: &str) {
    for special in [AreText, AreTokens] {
        if let Ok(tokens) = vocabulary.encode(text, special) {
            assert!(tokens.iter().all(|&token| (token as usize) < vocabulary.vocab_size()));
        }
    }
    for token in (0..vocabulary.vocab_size() as u32 + 2).chain([NONE]) {
        vocabulary.decode(1, token, true);
        assert!(vocabulary.decode(1, token, false).bytes().len() <= vocabulary.text(token).len());
        vocabulary.ends(token);
    }
    assert!(vocabulary.bos().is_some() || !vocabulary.bos_first());
    assert!(vocabulary.start().is_none_or(|token| (token as usize) < vocabulary.vocab_size()));
}

proptest! {
    /// Nothing that passes the checks makes the vocabulary panic or go on for ever.
    #[test]
    fn damage_is_refused_or_harmless(
        file in 0..6usize,
        damage in prop::collection::vec((any::<prop::sample::Index>(), prop_oneof![
            any::<u32>(), 0..600u32, Just(NONE), (0..32u32).prop_map(|bit| 1 << bit)
        ], any::<bool>()), 1..4),
        text in "([ab 1<>|x€\n]|<\\|im_end\\|>|\\PC){0,30}",
    ) {
        let mut words = PACKED[file].clone();
        for (place, value, flip) in damage {
            // Half of it hits the header or the tables' beginnings.
            let place = if flip { place.index(words.len()) } else { place.index(Header::WORDS) };
            words[place] = if value.is_power_of_two() { words[place] ^ value } else { value };
        }
        let vocab_size = words[0] as usize;
        if let Ok(vocabulary) = Vocabulary::parse(&words, vocab_size) {
            use_all(&vocabulary, &text);
        }
    }

    #[test]
    fn noise_is_refused_or_harmless(words in prop::collection::vec(0..20u32, 0..600)) {
        let vocab_size = words.first().map_or(0, |&tokens| tokens as usize);
        if let Ok(vocabulary) = Vocabulary::parse(&words, vocab_size) {
            use_all(&vocabulary, "a b");
        }
    }
}

#[test]
fn a_vocabulary_cut_anywhere_is_refused() {
    for words in PACKED.iter() {
        let vocab_size = words[0] as usize;
        for end in 0..words.len() {
            let cut = Vocabulary::parse(&words[..end], vocab_size).err();
            assert_eq!(cut, Some(VocabularyError::Length { words: end }));
        }
        let other = Vocabulary::parse(words, vocab_size + 1).err();
        assert_eq!(
            other,
            Some(VocabularyError::TokenCount { tokens: vocab_size, vocab_size: vocab_size + 1 })
        );
        assert!(Vocabulary::parse(words, vocab_size).is_ok());
    }
}

#[test]
fn numbers_out_of_range_are_named() {
    let packed = &PACKED[4];
    let vocabulary = Vocabulary::parse(packed, packed[0] as usize).unwrap();
    let damaged = |table: &[u32], place: usize, value: u32| {
        let mut words = packed.clone();
        let start = table.as_ptr().addr() - packed.as_ptr().addr();
        words[start / size_of::<u32>() + place] = value;
        match Vocabulary::parse(&words, vocabulary.vocab_size()) {
            Err(VocabularyError::Damaged { table }) => table,
            other => panic!("not refused: {:?}", other.err()),
        }
    };
    let tables = &vocabulary.tables;
    let symbols = vocabulary.header.symbols;
    assert_eq!(damaged(tables.starts, 3, 15 << KIND_SHIFT), "header or starts");
    assert_eq!(damaged(tables.starts, 3, OFFSET), "header or starts");
    assert_eq!(damaged(tables.bytes, 0, symbols), "bytes");
    assert_eq!(damaged(tables.characters.as_flattened(), 1, symbols), "characters");
    assert_eq!(damaged(tables.characters.as_flattened(), 0, NONE), "characters");
    assert_eq!(damaged(tables.merges.as_flattened(), 3, symbols), "merges");
    assert_eq!(damaged(tables.merges.as_flattened(), 0, NONE), "merges");
    assert_eq!(damaged(tables.special, 0, symbols), "special tokens");
    assert_eq!(damaged(tables.endings, 0, 2), "endings");
}

/// A text's start that is beyond all text.
const OFFSET: u32 = format::OFFSET_MASK;

#[test]
fn control_tokens_print_nothing_and_raw_shows_all() {
    let vocabulary = &COMPLETE[0];
    assert_eq!(vocabulary.decode(0, 2, false).bytes(), b"");
    assert_eq!(vocabulary.decode(0, 2, true).bytes(), b"<|im_end|>");
    let pieces = &COMPLETE[4];
    assert_eq!(pieces.decode(5, 3 + 0xC3, true).bytes(), b"<0xC3>");
    assert_eq!(pieces.decode(5, 3 + 0xC3, false).bytes(), b"\xC3");
    assert_eq!(pieces.decode(5, 3 + 0x1B, false).bytes(), b"", "escape would upset the screen");
    let the = pieces.encode("the", AreText).unwrap()[0];
    assert_eq!(pieces.decode(1, the, false).bytes(), b"the", "after BOS the space in front goes");
    assert_eq!(pieces.decode(5, the, false).bytes(), b" the");
}

#[test]
fn long_texts_take_no_time() {
    let started = std::time::Instant::now();
    for vocabulary in COMPLETE.iter() {
        for text in ["ab".repeat(50_000), "a".repeat(100_000), " ".repeat(100_000), "'".repeat(100_000)] {
            assert!(vocabulary.encode(&text, AreTokens).is_ok());
        }
    }
    // Each takes some hundredths of a second; a rule that takes n² steps would take minutes.
    assert!(started.elapsed().as_secs() < 20, "{:?}", started.elapsed());
}
