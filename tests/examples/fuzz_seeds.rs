//! Writes the files that fuzzing begins with, tests/fuzz/corpus/TARGET: small ones, made of random
//! checkpoints and of the project's own tokenizer, the same at every run.
//!
//! `cargo run -p unreallm-tests --example fuzz_seeds`
use std::{error::Error, fs, io::Cursor, path::Path};

use model::{
    engine::EngineKind,
    host::{
        checkpoint::{Checkpoint, Weight},
        gguf::{GgufVocabulary, GgufWriter, LlamaConfig, Metadata, Strings, TensorInfo, TensorType, Value},
        pack::pack,
        synth::{SyntheticGguf, parse_shape, write_checkpoint},
        vocabulary::{llama2c, pack_gguf},
    },
};
use protocol::settings::Settings;

/// Bytes of a settings sector's first line.
const FIRST_LINE: usize = "unreallm-settings crc=xxxxxxxx\n".len();
/// Pieces of the tokenizer that are enough: the special ones and a few bytes, then pieces of text.
const PIECES: [std::ops::Range<usize>; 2] = [0..6, 259..290];

/// A small model with every optional tensor; its rows are blocks of 32 numbers.
const GGUF_MODEL: LlamaConfig = LlamaConfig {
    context_length: 8,
    embedding_length: 32,
    block_count: 1,
    feed_forward_length: 32,
    head_count: 1,
    head_count_kv: 1,
    head_size: 32,
    vocab_size: 6,
    epsilon: 1e-5,
    rope_base: 10_000.0,
    rope_factor: 2.0,
    rope_freqs: true,
    tied: false,
};

fn main() -> Result<(), Box<dyn Error>> {
    let own = small_shape("4,6,1,2,1,-5,3")?;
    let shared = small_shape("6,5,2,3,3,4,2")?;
    seed("checkpoint", "version_0", &own)?;
    seed("checkpoint", "version_0_shared", &shared)?;
    seed("checkpoint", "version_1", &version_1(&own)?)?;
    seed("packed", "own_classifier", &packed(&own)?)?;
    seed("packed", "shared_classifier", &packed(&shared)?)?;
    for tensor_type in [TensorType::Q4_1, TensorType::Q5_1, TensorType::Q8_0, TensorType::F16] {
        seed("packed", tensor_type.name(), &packed(&random_gguf(tensor_type)?)?)?;
    }

    seed("gguf", "bpe", &gguf(GGUF_MODEL, byte_level_bpe(), TensorType::Q8_0)?)?;
    let tied = LlamaConfig { tied: true, rope_freqs: false, rope_factor: 1.0, ..GGUF_MODEL };
    let tiny =
        LlamaConfig { embedding_length: 4, feed_forward_length: 6, head_count: 2, head_size: 2, ..tied };
    seed("gguf", "sentence_piece", &gguf(tiny, sentence_piece(), TensorType::F16)?)?;

    let file =
        fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("../model/bedtime260K/bedtime260K.tok.bin"))?;
    let pieces = pieces(&file);
    let some = PIECES.iter().flat_map(|range| pieces[range.clone()].concat());
    seed("tokenizer", "bedtime", &file[..4].iter().copied().chain(some).collect::<Vec<_>>())?;
    seed("tokenizer", "empty", &file[..4])?;

    let all = Settings {
        prompt: "One day,\n a \\ dog".into(),
        temperature: 45875, // 0.7
        seed: u64::MAX,
        cpus: 16,
        ..Settings::default()
    };
    seed("settings", "all_keys", &text_of(&all)?)?;
    seed("settings", "default", &text_of(&Settings::default())?)?;
    seed("settings", "one_key", b"topp=.5\n")?;

    seed("packed_vocabulary", "bpe", &packed_vocabulary(&byte_level_bpe(), "a a<|im_end|>1")?)?;
    seed("packed_vocabulary", "sentence_piece", &packed_vocabulary(&sentence_piece(), "a a\n</s>")?)?;

    let utf8 = "\tLily’s dog – größer\r\nα € 🙂 \x08 a word that goes on and on and on and then a longwordthatwraps over";
    seed("console", "text", utf8.as_bytes())?;
    seed("console", "broken", b"\xC3x\xE2\x82\xC3\xA9\xC0\xAF\xED\xA0\x80\xF7\xBF\xBF\xBF")?;
    seed("prompt", "edited", b"One dya\x1b[D\x08\x1b[3~ay\x01\x1b[C\x05\x17\x0b\ragain\x1b[A\x1bOB\r")?;
    seed("prompt", "command", b"/temp 0.7\r\n/help\r/none\r \xC3\xA9\x1b[38;5;1m\x1b\r")?;
    Ok(())
}

/// Writes a seed file.
fn seed(target: &str, name: &str, bytes: &[u8]) -> Result<(), Box<dyn Error>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    fs::create_dir_all(&folder)?;
    fs::write(folder.join(name), bytes)?;
    println!("{target}/{name}: {} bytes", bytes.len());
    Ok(())
}

/// A version 0 checkpoint of random weights.
fn small_shape(shape: &str) -> Result<Vec<u8>, Box<dyn Error>> {
    let mut file = Vec::new();
    write_checkpoint(&parse_shape(shape)?, 1, &mut file)?;
    Ok(file)
}

/// The same weights in a version 1 file.
fn version_1(version_0: &[u8]) -> Result<Vec<u8>, Box<dyn Error>> {
    use Weight::{
        Classifier, RmsAtt, RmsFfn, RmsFinal, TokenEmbedding as Embedding, W1, W2, W3, Wk, Wo, Wq, Wv,
    };
    let mut checkpoint = Checkpoint::open(Cursor::new(version_0))?;
    let shape = checkpoint.shape();
    let mut file = [b"24ka", &1i32.to_le_bytes()[..], &version_0[..28]].concat();
    file[28..32].copy_from_slice(&(shape.vocab_size as i32).to_le_bytes());
    file.push(shape.shared_classifier.into());
    file.resize(256, 0);
    let order = [RmsAtt, RmsFfn, RmsFinal, Embedding, Wq, Wk, Wv, Wo, W1, W2, W3];
    for weight in order.into_iter().chain((!shape.shared_classifier).then_some(Classifier)) {
        for layer in 0..weight.size(&shape).0 {
            let numbers = checkpoint.read(weight, layer)?;
            file.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
        }
    }
    Ok(file)
}

/// A GGUF of random weights, whose rows are blocks of 32.
fn random_gguf(matrices: TensorType) -> Result<Vec<u8>, Box<dyn Error>> {
    let mut file = Vec::new();
    SyntheticGguf::of_shape("32,32,1,2,1,259,3")?.write(1, |_, _| matrices, &mut file)?;
    Ok(file)
}

/// A checkpoint, packed with a tokenizer of empty pieces.
fn packed(checkpoint: &[u8]) -> Result<Vec<u8>, Box<dyn Error>> {
    let mut checkpoint = Checkpoint::open(Cursor::new(checkpoint))?;
    let vocabulary = llama2c::pack(&vec![0; 4 + 8 * checkpoint.shape().vocab_size])?;
    let mut out = Cursor::new(Vec::new());
    pack(EngineKind::Int8, &mut checkpoint, &vocabulary, "seed", &mut out, |_, _| {})?;
    Ok(out.into_inner())
}

/// The text of settings, without the first line and what fills the sectors.
fn text_of(settings: &Settings) -> Result<Vec<u8>, Box<dyn Error>> {
    let sectors = settings.to_sectors()?;
    Ok(sectors[FIRST_LINE..].iter().copied().take_while(|&byte| byte != 0).collect())
}

/// A GGUF of this model and tokenizer; matrices are zeros of `matrices`, vectors ones of f32.
fn gguf(config: LlamaConfig, tokenizer: Metadata, matrices: TensorType) -> Result<Vec<u8>, Box<dyn Error>> {
    let mut metadata = config.metadata();
    tokenizer.iter().for_each(|(key, value)| metadata.push(key, value.clone()));
    let mut writer = GgufWriter::new(metadata);
    for (name, dims) in config.tensors() {
        writer.add(&name, &dims, if dims.len() == 1 { TensorType::F32 } else { matrices })?;
    }
    let mut file = Vec::new();
    writer.write(&mut file, |tensor: &TensorInfo, out| match tensor.tensor_type {
        TensorType::F32 => out.write_all(&1f32.to_le_bytes().repeat(tensor.columns())),
        _ => out.write_all(&vec![0; tensor.bytes as usize]),
    })?;
    Ok(file)
}

/// The keys of a tokenizer of byte-level BPE with `GGUF_MODEL`'s tokens.
fn byte_level_bpe() -> Metadata {
    let mut keys = Metadata::default();
    keys.push("general.alignment", 8);
    keys.push("tokenizer.ggml.model", "gpt2");
    keys.push("tokenizer.ggml.pre", "smollm");
    let tokens = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "\u{120}", "a", "\u{120}a"];
    keys.push("tokenizer.ggml.tokens", tokens.into_iter().collect::<Strings>());
    keys.push("tokenizer.ggml.token_type", &[3, 3, 3, 1, 1, 1][..]);
    keys.push("tokenizer.ggml.merges", ["\u{120} a"].into_iter().collect::<Strings>());
    keys.push("tokenizer.ggml.eos_token_id", 2);
    keys.push("tokenizer.ggml.padding_token_id", Value::I64(-1));
    keys.push("tokenizer.ggml.add_bos_token", false);
    keys.push("tokenizer.chat_template", "{{ messages }}");
    keys
}

/// The keys of a SentencePiece tokenizer with `GGUF_MODEL`'s tokens.
fn sentence_piece() -> Metadata {
    let mut keys = Metadata::default();
    keys.push("tokenizer.ggml.model", "llama");
    let tokens = ["<unk>", "<s>", "</s>", "<0x0A>", "\u{2581}", "a"];
    keys.push("tokenizer.ggml.tokens", tokens.into_iter().collect::<Strings>());
    keys.push("tokenizer.ggml.scores", &[0.0, 0.0, 0.0, 0.0, -1.0, -2.0][..]);
    keys.push("tokenizer.ggml.token_type", &[2, 3, 3, 6, 1, 1][..]);
    keys
}

/// A text with its length before it, and the packed vocabulary that these keys make.
fn packed_vocabulary(keys: &Metadata, text: &str) -> Result<Vec<u8>, Box<dyn Error>> {
    let mut seed = vec![text.len() as u8];
    seed.extend(text.as_bytes());
    seed.extend(pack_gguf(&GgufVocabulary::of(keys)?)?.into_iter().flat_map(u32::to_le_bytes));
    Ok(seed)
}

/// A tokenizer file's pieces, with their headers.
fn pieces(file: &[u8]) -> Vec<&[u8]> {
    let (mut pieces, mut rest) = (Vec::new(), &file[4..]);
    while let [_, _, _, _, length, 0, 0, 0, ..] = *rest {
        let (piece, after) = rest.split_at(8 + usize::from(length));
        pieces.push(piece);
        rest = after;
    }
    pieces
}
