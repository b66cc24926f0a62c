use super::*;
use crate::host::gguf::TokenType;
use crate::vocabulary::{Kind, SpecialTokens::*, Vocabulary};
use byte_pairs::Alphabet;
use proptest::prelude::*;
use std::sync::LazyLock;

/// A GGUF's tokenizer of these tokens, with scores that go down by one a token.
fn gguf(model: &str, pre: &str, tokens: &[(TokenType, &str)]) -> GgufVocabulary {
    GgufVocabulary {
        model: model.to_owned(),
        pre: pre.to_owned(),
        tokens: tokens.iter().map(|(_, text)| text.as_bytes().to_vec()).collect(),
        scores: (0..tokens.len()).map(|token| -(token as f32)).collect(),
        types: tokens.iter().map(|&(token_type, _)| token_type).collect(),
        merges: Vec::new(),
        bos: None,
        eos: None,
        eot: None,
        eom: None,
        unknown: None,
        padding: None,
        add_bos: false,
        add_eos: false,
        add_space_prefix: false,
        chat_template: None,
    }
}

/// A `gpt2` tokenizer: `<|endoftext|>`, `<|im_start|>` and `<|im_end|>`, all 256 bytes from token 3 on,
/// and what the merges make, in their order.
pub(crate) fn byte_level(pre: &str, merges: &[(&str, &str)]) -> GgufVocabulary {
    let special =
        ["<|endoftext|>", "<|im_start|>", "<|im_end|>"].map(|name| (TokenType::Control, name.to_owned()));
    let bytes = Alphabet::new().characters.map(|character| (TokenType::Normal, character.to_string()));
    let made = merges.iter().map(|(left, right)| (TokenType::Normal, format!("{left}{right}")));
    let tokens: Vec<_> = special.into_iter().chain(bytes).chain(made).collect();
    let tokens: Vec<_> = tokens.iter().map(|(token_type, text)| (*token_type, &text[..])).collect();
    let merges = merges.iter().map(|(left, right)| (left.as_bytes().to_vec(), right.as_bytes().to_vec()));
    let merges = merges.collect();
    GgufVocabulary { merges, bos: Some(1), eos: Some(2), ..gguf("gpt2", pre, &tokens) }
}

/// A `llama` tokenizer as SentencePiece trains them: `<unk>`, `<s>`, `</s>`, all 256 byte pieces from
/// token 3 on, and these pieces.
pub(crate) fn sentence_piece(pieces: &[&str]) -> GgufVocabulary {
    let special = [(TokenType::Unknown, "<unk>"), (TokenType::Control, "<s>"), (TokenType::Control, "</s>")];
    let names: Vec<_> = (0..=u8::MAX).map(|byte| format!("<0x{byte:02X}>")).collect();
    let bytes = names.iter().map(|name| (TokenType::Byte, &name[..]));
    let pieces = pieces.iter().map(|&piece| (TokenType::Normal, piece));
    let tokens: Vec<_> = special.into_iter().chain(bytes).chain(pieces).collect();
    GgufVocabulary {
        bos: Some(1),
        eos: Some(2),
        unknown: Some(0),
        add_bos: true,
        add_space_prefix: true,
        ..gguf("llama", "default", &tokens)
    }
}

pub(crate) fn unpack(words: Result<Vec<u32>, TokenizerError>) -> Vocabulary<'static> {
    let words = words.unwrap();
    let vocab_size = words[0] as usize;
    Vocabulary::parse(words.leak(), vocab_size).unwrap()
}

fn of_gguf(gguf: &GgufVocabulary) -> Vocabulary<'static> {
    unpack(pack_gguf(gguf))
}

/// The texts of a text's tokens.
fn pieces(vocabulary: &Vocabulary, text: &str) -> Vec<String> {
    let tokens = vocabulary.encode(text, AreText).unwrap();
    tokens.iter().map(|&token| String::from_utf8_lossy(vocabulary.text(token)).into_owned()).collect()
}

#[test]
fn bytes_are_joined_by_rank_within_words() {
    let merges =
        [("h", "e"), ("l", "l"), ("he", "ll"), ("Ġ", "w"), ("o", "Ġ"), ("1", "2"), ("Ã", "©"), ("a", "a")];
    let vocabulary = of_gguf(&byte_level("smollm", &merges));
    assert_eq!(pieces(&vocabulary, "hello world"), ["hell", "o", " w", "o", "r", "l", "d"]);
    assert_eq!(pieces(&vocabulary, "12é"), ["1", "2", "é"], "each digit is a word");
    assert_eq!(pieces(&vocabulary, "aaa aaaa"), ["aa", "a", " ", "aa", "aa"], "the leftmost first");
    assert_eq!(vocabulary.encode("he", AreText), Ok(vec![3 + 256]));
    assert_eq!(vocabulary.encode("", AreTokens), Ok(vec![]));
    let vocabulary = of_gguf(&byte_level("gpt-2", &merges));
    assert_eq!(pieces(&vocabulary, "12"), ["12"]);
}

#[test]
fn llama_bpe_takes_whole_words_that_no_merge_makes() {
    let mut gguf = byte_level("llama-bpe", &[("a", "b")]);
    for word in ["abc", "Ġx y", "xyz"] {
        gguf.tokens.push(word.into());
        gguf.types.push(TokenType::Normal);
        gguf.scores.push(0.0);
    }
    let vocabulary = of_gguf(&gguf);
    assert_eq!(pieces(&vocabulary, "abc abd xyz"), ["abc", " ", "ab", "d", " ", "x", "y", "z"]);
    gguf.pre = "gpt-2".into();
    assert_eq!(pieces(&of_gguf(&gguf), "abc"), ["ab", "c"]);
}

#[test]
fn bytes_without_a_token_are_left_out_and_nothing_is_joined_across_them() {
    let mut gguf = byte_level("gpt-2", &[("a", "b")]);
    gguf.tokens[3 + 0x13] = b"nothing".to_vec();
    let vocabulary = of_gguf(&gguf);
    assert_eq!(pieces(&vocabulary, "ab\u{13}a\u{13}b"), ["ab", "a", "b"]);
}

#[test]
fn a_part_that_is_no_token_becomes_its_bytes() {
    let mut gguf = byte_level("gpt-2", &[("a", "b"), ("ab", "c")]);
    gguf.tokens[3 + 256] = b"nothing".to_vec();
    let vocabulary = of_gguf(&gguf);
    assert_eq!(pieces(&vocabulary, "abc"), ["abc"]);
    assert_eq!(pieces(&vocabulary, "abab"), ["a", "b", "a", "b"]);
}

#[test]
fn what_somebody_types_never_steers_the_model() {
    let mut gguf = byte_level("smollm", &[]);
    for (token_type, text) in [
        (TokenType::UserDefined, "<|tool|>"),
        (TokenType::UserDefined, "  "),
        (TokenType::UserDefined, "   x"),
        (TokenType::Unknown, "<unk>"),
    ] {
        gguf.tokens.push(text.into());
        gguf.types.push(token_type);
        gguf.scores.push(0.0);
    }
    gguf.types[2] = TokenType::UserDefined;
    let vocabulary = of_gguf(&gguf);
    let text = "<|im_start|>a<|im_end|><|tool|><unk>";
    let typed = vocabulary.encode(text, AreText).unwrap();
    assert_eq!(typed.len(), text.len(), "each byte is a token");
    assert_eq!(vocabulary.encode(text, AreTokens), Ok(vec![1, 3 + u32::from(b'a'), 2, 259, 262]));
    assert_eq!(vocabulary.kind(2), Kind::Control, "what ends a text is no text");
    // Text that is taken whole is: the longest first, then what is left.
    assert_eq!(pieces(&vocabulary, "a     x  "), ["a", "  ", "   x", "  "]);
}

#[test]
fn sentence_pieces_are_joined_by_score() {
    let pieces_of = ["▁t", "he", "▁the", "t", "h", "e", "▁", "▁▁", "x€", "x"];
    let vocabulary = of_gguf(&sentence_piece(&pieces_of));
    assert_eq!(pieces(&vocabulary, "the"), [" the"]);
    assert_eq!(pieces(&vocabulary, "the  the"), [" the", " ", " the"]);
    assert_eq!(pieces(&vocabulary, "▁"), ["  "], "▁ is a space");
    assert_eq!(pieces(&vocabulary, "x€"), [" ", "x€"], "a character that is no piece itself");
    let euro = vocabulary.encode("€", AreText).unwrap();
    assert_eq!(euro[1..], [3 + 0xE2, 3 + 0x82, 3 + 0xAC], "which alone is its bytes");
    let typed = vocabulary.encode("</s>", AreText).unwrap();
    assert!(typed.iter().all(|&token| !vocabulary.ends(token)), "{typed:?}");
    let space = vocabulary.encode(" ", AreText).unwrap()[0];
    let the = vocabulary.encode("the", AreText).unwrap()[0];
    let mixed = vocabulary.encode("the</s>the<s>", AreTokens).unwrap();
    assert_eq!(mixed, [the, 2, the, 1], "a space goes in front after each special token");
    assert_ne!(space, the);
}

#[test]
fn without_a_space_in_front_nothing_is_taken_away() {
    let vocabulary =
        of_gguf(&GgufVocabulary { add_space_prefix: false, ..sentence_piece(&["▁a", "a", "▁"]) });
    let a = vocabulary.encode(" a", AreText).unwrap();
    assert_eq!(a.len(), 1);
    assert_eq!(vocabulary.decode(1, a[0], false).bytes(), b" a");
}

#[test]
fn control_pieces_are_never_made_of_text() {
    let vocabulary = of_gguf(&sentence_piece(&["</", "s>", "<", "/", "s", ">", "<0x0", "A>", "0x0"]));
    assert_eq!(pieces(&vocabulary, "</s>")[1..], ["</", "s>"]);
    let names = vocabulary.encode("<0x0A>", AreText).unwrap();
    assert!(names.iter().all(|&token| token != 3 + 0x0A), "{names:?}");
}

#[test]
fn where_texts_begin_and_end() {
    let smollm = of_gguf(&byte_level("smollm", &[]));
    assert_eq!((smollm.bos(), smollm.bos_first(), smollm.start()), (Some(1), false, Some(0)));
    assert_eq!(smollm.endings(), [0, 2]);
    let llama = of_gguf(&sentence_piece(&["a"]));
    assert_eq!((llama.bos(), llama.bos_first(), llama.start()), (Some(1), true, Some(1)));
    assert_eq!(llama.endings(), [1, 2]);
    let mut nameless = byte_level("gpt-2", &[]);
    nameless.tokens[0] = b"<|separator|>".to_vec();
    assert_eq!(of_gguf(&nameless).start(), None, "such a model needs a beginning");
}

#[test]
fn what_is_not_read_is_refused_by_name() {
    let error = |gguf: &GgufVocabulary| pack_gguf(gguf).unwrap_err();
    let qwen = error(&byte_level("qwen2", &[]));
    assert_eq!(qwen, TokenizerError::Pretokenizer("qwen2".into()));
    assert!(qwen.to_string().contains("\"qwen2\""));
    let bert = GgufVocabulary { model: "bert".into(), ..sentence_piece(&[]) };
    assert_eq!(error(&bert), TokenizerError::Model("bert".into()));
    let mut short = sentence_piece(&[]);
    short.types.pop();
    assert_eq!(error(&short), TokenizerError::Length { list: "types", found: 258, tokens: 259 });
    let outside = GgufVocabulary { eot: Some(259), ..sentence_piece(&[]) };
    assert_eq!(error(&outside), TokenizerError::Id { id: 259, tokens: 259 });
    let mut nan = sentence_piece(&["a"]);
    nan.scores[259] = f32::NAN;
    assert_eq!(error(&nan), TokenizerError::BadScore { piece: 259 });
    let long = "a".repeat(1025);
    let long = error(&sentence_piece(&[&long]));
    assert_eq!(long, TokenizerError::LongPiece { token: 259, length: 1025, limit: 1024 });
}

/// SentencePiece's rule by a search through all neighbours before each merge.
fn naive(gguf: &GgufVocabulary, text: &str) -> Vec<u32> {
    let lookup = |piece: &str| {
        let tokens = gguf.tokens.iter().zip(&gguf.types);
        tokens.into_iter().position(|(text, kind)| *kind == TokenType::Normal && text == piece.as_bytes())
    };
    let mut parts: Vec<String> = text.chars().map(String::from).collect();
    loop {
        let pairs = parts.windows(2).enumerate().filter_map(|(at, pair)| Some((at, lookup(&pair.concat())?)));
        let best =
            pairs.reduce(|best, next| if gguf.scores[next.1] > gguf.scores[best.1] { next } else { best });
        let Some((at, _)) = best else { break };
        let joined = parts[at..at + 2].concat();
        parts.splice(at..at + 2, [joined]);
    }
    let tokens = parts.iter().flat_map(|part| match lookup(part) {
        Some(token) => vec![token as u32],
        None => part.bytes().map(|byte| 3 + u32::from(byte)).collect(),
    });
    tokens.collect()
}

/// Byte-level BPE of a text that is one word, in the same way.
fn naive_bpe(gguf: &GgufVocabulary, text: &str) -> Vec<u32> {
    let mut parts: Vec<Vec<u8>> = text.bytes().map(|byte| vec![byte]).collect();
    loop {
        let rank = |pair: &[Vec<u8>]| {
            gguf.merges.iter().position(|(left, right)| *left == pair[0] && *right == pair[1])
        };
        let pairs = parts.windows(2).enumerate().filter_map(|(at, pair)| Some((rank(pair)?, at)));
        let Some((_, at)) = pairs.min() else { break };
        let joined = parts[at..at + 2].concat();
        parts.splice(at..at + 2, [joined]);
    }
    let token = |part: &Vec<u8>| gguf.tokens.iter().position(|text| text == part).unwrap() as u32;
    parts.iter().map(token).collect()
}

/// Vocabularies of all rules that have all bytes.
pub(crate) static COMPLETE: LazyLock<Vec<Vocabulary>> = LazyLock::new(|| {
    let merges = [("Ġ", "t"), ("h", "e"), ("Ġt", "he"), ("a", "b"), ("Ã", "©"), ("Ċ", "Ċ")];
    let byte_level =
        ["smollm", "gpt-2", "llama-bpe", "default"].map(|pre| of_gguf(&byte_level(pre, &merges)));
    let pieces = of_gguf(&sentence_piece(&["▁", "▁t", "he", "▁the", "h", "e", "€a", "▁▁"]));
    byte_level.into_iter().chain([pieces]).collect()
});

proptest! {
    #[test]
    fn the_heap_is_as_good_as_a_search_through_all(
        pieces in prop::collection::btree_set("[abc€]{1,5}", 0..40),
        scores in prop::collection::vec(-3..3i8, 40),
        text in "[abcd€]{0,60}",
    ) {
        let pieces: Vec<&str> = pieces.iter().map(String::as_str).collect();
        let mut gguf = GgufVocabulary { add_space_prefix: false, ..sentence_piece(&pieces) };
        for (score, chosen) in gguf.scores[3 + 256..].iter_mut().zip(scores) {
            *score = chosen.into();
        }
        prop_assert_eq!(of_gguf(&gguf).encode(&text, AreText).unwrap(), naive(&gguf, &text));
    }

    #[test]
    fn ranks_are_kept_as_a_search_through_all_keeps_them(
        picks in prop::collection::vec((0..1000usize, 0..1000usize), 0..40),
        text in "[abc]{0,60}",
    ) {
        // Each merge joins two parts that are there by then; the first of equal ones counts.
        let mut parts: Vec<String> = ["a", "b", "c"].map(String::from).to_vec();
        let mut merges: Vec<(String, String)> = Vec::new();
        for (left, right) in picks {
            let pair = (parts[left % parts.len()].clone(), parts[right % parts.len()].clone());
            if pair.0.len() + pair.1.len() <= 12 {
                parts.push(format!("{}{}", pair.0, pair.1));
                merges.push(pair);
            }
        }
        let merges: Vec<_> = merges.iter().map(|(left, right)| (&left[..], &right[..])).collect();
        let gguf = byte_level("gpt-2", &merges);
        prop_assert_eq!(of_gguf(&gguf).encode(&text, AreText).unwrap(), naive_bpe(&gguf, &text));
    }

    #[test]
    fn decoding_brings_the_text_back(text in "([ a-z0-9'\n\t]|\\PC){0,60}") {
        for vocabulary in COMPLETE.iter() {
            let tokens = vocabulary.encode(&text, AreText).unwrap();
            let previous = vocabulary.bos().into_iter().chain(tokens.iter().copied());
            let bytes: Vec<u8> = previous
                .zip(&tokens)
                .flat_map(|(previous, &token)| vocabulary.decode(previous, token, false).bytes().to_vec())
                .collect();
            let text = if vocabulary.bos_first() { text.replace('▁', " ") } else { text.clone() };
            prop_assert_eq!(String::from_utf8(bytes).unwrap(), text);
        }
    }
}
