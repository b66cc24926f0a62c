use super::*;
use crate::host::gguf::tests::metadata_of;
use crate::host::gguf::{Strings, Value};

fn strings(texts: &[&str]) -> Value {
    texts.iter().collect::<Strings>().into()
}

/// The small vocabulary of a chat model with byte-level BPE, and these keys besides or instead.
fn bpe(entries: &[(&str, Value)]) -> Metadata {
    let own = [
        ("tokenizer.ggml.model", "gpt2".into()),
        ("tokenizer.ggml.pre", "smollm".into()),
        (
            "tokenizer.ggml.tokens",
            strings(&["<|endoftext|>", "<|im_end|>", "Ġ", "a", "Ġa", "</s>", "<|end|>"]),
        ),
        ("tokenizer.ggml.token_type", (&[3, 3, 1, 1, 1, 1, 4][..]).into()),
        ("tokenizer.ggml.merges", strings(&["Ġ a"])),
    ];
    merged(&own, entries)
}

/// A small SentencePiece vocabulary.
fn sentence_piece(entries: &[(&str, Value)]) -> Metadata {
    let own = [
        ("tokenizer.ggml.model", "llama".into()),
        ("tokenizer.ggml.tokens", strings(&["<unk>", "<s>", "</s>", "<0x0A>", "▁a"])),
        ("tokenizer.ggml.scores", (&[0.0, 0.0, 0.0, 0.0, -1.0][..]).into()),
        ("tokenizer.ggml.token_type", (&[2, 3, 3, 6, 1][..]).into()),
    ];
    merged(&own, entries)
}

fn merged(own: &[(&str, Value)], entries: &[(&str, Value)]) -> Metadata {
    let mut metadata = Metadata::default();
    let kept = own.iter().filter(|(key, _)| entries.iter().all(|(other, _)| key != other));
    kept.chain(entries).for_each(|(key, value)| metadata.push(key, value.clone()));
    metadata
}

fn refusal(metadata: &Metadata) -> String {
    GgufVocabulary::of(metadata).map_or_else(|error| error.to_string(), |_| "nothing".to_owned())
}

#[test]
fn byte_level_bpe_is_read() {
    let vocabulary = GgufVocabulary::of(&bpe(&[
        ("tokenizer.ggml.eos_token_id", Value::U32(1)),
        ("tokenizer.ggml.unknown_token_id", Value::U32(0)),
        ("tokenizer.chat_template", "{{ messages }}".into()),
    ]))
    .unwrap();
    assert_eq!((&vocabulary.model[..], &vocabulary.pre[..]), ("gpt2", "smollm"));
    assert_eq!(vocabulary.tokens[4], "Ġa".as_bytes());
    assert_eq!(vocabulary.merges, [("Ġ".into(), "a".into())]);
    assert_eq!(vocabulary.scores, [0.0; 7]);
    assert_eq!(vocabulary.types[6], TokenType::UserDefined);
    assert_eq!((vocabulary.bos, vocabulary.eos, vocabulary.unknown), (None, Some(1), Some(0)));
    let flags = [vocabulary.add_bos, vocabulary.add_eos, vocabulary.add_space_prefix];
    assert_eq!(flags, [false; 3]);
    assert_eq!(vocabulary.chat_template.as_deref(), Some("{{ messages }}"));
}

#[test]
fn sentence_piece_is_read_with_its_defaults() {
    let vocabulary = GgufVocabulary::of(&sentence_piece(&[])).unwrap();
    assert_eq!((&vocabulary.model[..], &vocabulary.pre[..]), ("llama", "default"));
    assert_eq!((vocabulary.bos, vocabulary.eos, vocabulary.unknown), (Some(1), Some(2), Some(0)));
    assert!(vocabulary.add_bos && vocabulary.add_space_prefix && !vocabulary.add_eos);
    assert_eq!(vocabulary.scores[4], -1.0);
    assert_eq!(vocabulary.types[3], TokenType::Byte);
    assert!(vocabulary.merges.is_empty());
    let off =
        [("tokenizer.ggml.add_bos_token", false.into()), ("tokenizer.ggml.add_space_prefix", false.into())];
    let vocabulary = GgufVocabulary::of(&sentence_piece(&off)).unwrap();
    assert!(!vocabulary.add_bos && !vocabulary.add_space_prefix);
}

#[test]
fn bos_comes_first_by_default_for_llama_3() {
    for pre in ["llama-bpe", "tekken"] {
        let metadata =
            bpe(&[("tokenizer.ggml.pre", pre.into()), ("tokenizer.ggml.bos_token_id", Value::U32(0))]);
        assert!(GgufVocabulary::of(&metadata).unwrap().add_bos);
    }
    let no_bos = refusal(&bpe(&[("tokenizer.ggml.pre", "llama-bpe".into())]));
    assert!(no_bos.contains("add_bos_token asks for a token that tokenizer.ggml.bos_token_id does not name"));
    let no_eos = refusal(&bpe(&[("tokenizer.ggml.add_eos_token", true.into())]));
    assert!(no_eos.contains("add_eos_token asks for a token that tokenizer.ggml.eos_token_id does not name"));
}

#[test]
fn what_ends_a_turn_is_named_by_the_metadata_or_by_its_text() {
    let ending = |metadata: &Metadata| Vec::from_iter(GgufVocabulary::of(metadata).unwrap().ending());
    assert_eq!(ending(&bpe(&[])), [0, 1, 6], "</s> is plain text here");
    let named = [
        ("tokenizer.ggml.eos_token_id", Value::U32(3)),
        ("tokenizer.ggml.eot_token_id", Value::U32(2)),
        ("tokenizer.ggml.eom_token_id", Value::U32(1)),
    ];
    assert_eq!(ending(&bpe(&named)), [0, 1, 2, 3, 6]);
    assert_eq!(ending(&sentence_piece(&[])), [2]);
}

#[test]
fn lists_that_do_not_fit_are_refused() {
    let with = |key: &str, value: Value| refusal(&bpe(&[(key, value)]));
    assert!(with("tokenizer.ggml.model", "t5".into()).contains(r#"tokenizer is "t5", only "llama""#));
    assert!(with("tokenizer.ggml.tokens", strings(&[])).contains("vocabulary is empty"));
    assert!(with("tokenizer.ggml.tokens", Value::U32(3)).contains("it must be an array of strings"));
    assert!(with("tokenizer.ggml.scores", (&[1.0][..]).into()).contains("scores has 1 entries for 7 tokens"));
    assert!(
        with("tokenizer.ggml.token_type", (&[1; 8][..]).into()).contains("token_type has 8 entries for 7")
    );
    assert!(
        with("tokenizer.ggml.token_type", (&[1, 1, 7, 1, 1, 1, 1][..]).into())
            .contains("token 2 has the type 7")
    );
    let scores =
        refusal(&sentence_piece(&[("tokenizer.ggml.scores", (&[0.0, f32::NAN, 0.0, 0.0, 0.0][..]).into())]));
    assert!(scores.contains("score of token 1 is no number"));
    for merge in ["a", "a  b", " a", "a ", "a b c", "", " "] {
        let error = with("tokenizer.ggml.merges", strings(&["Ġ a", merge]));
        assert!(error.contains(&format!("the merge 1 is {merge:?}, it must be two tokens")), "{error}");
    }
    for key in ["model", "tokens", "merges"] {
        let key = format!("tokenizer.ggml.{key}");
        let mut rest = Metadata::default();
        bpe(&[])
            .iter()
            .filter(|(other, _)| *other != key)
            .for_each(|(key, value)| rest.push(key, value.clone()));
        assert!(refusal(&rest).contains(&format!("has no {key}")));
    }
    let no_scores = metadata_of([
        ("tokenizer.ggml.model", "llama".into()),
        ("tokenizer.ggml.tokens", strings(&["a", "b", "c"])),
    ]);
    assert!(refusal(&no_scores).contains("has no tokenizer.ggml.scores"));
}

#[test]
fn special_tokens_must_be_in_the_vocabulary() {
    for name in ["bos", "eos", "eot", "eom", "unknown"] {
        let key = format!("tokenizer.ggml.{name}_token_id");
        let error = refusal(&bpe(&[(&key, Value::U32(7))]));
        assert!(error.contains(&format!("{key} is 7, its vocabulary has 7 tokens")), "{error}");
        assert_eq!(refusal(&bpe(&[(&key, Value::U32(6))])), "nothing");
    }
    // Files whose padding is no token are about (llama.cpp's issue 2981); padding is never used.
    for (padding, wanted) in [(Value::U32(6), Some(6)), (Value::U32(u32::MAX), None), (Value::I32(-1), None)]
    {
        let metadata = bpe(&[("tokenizer.ggml.padding_token_id", padding)]);
        assert_eq!(GgufVocabulary::of(&metadata).unwrap().padding, wanted);
    }
}
