//! Models that cannot be run, as a user names them: one sentence that says what the file is, and what would help.
use model::host::gguf::{GgufWriter, LlamaConfig, Metadata, Strings, TensorType, Value};
use std::{fs, path::Path, process::Command};

/// A Llama model as small as can be.
const SMALL: LlamaConfig = LlamaConfig {
    context_length: 16,
    embedding_length: 8,
    block_count: 1,
    feed_forward_length: 12,
    head_count: 2,
    head_count_kv: 1,
    head_size: 4,
    vocab_size: 3,
    epsilon: 1e-5,
    rope_base: 10_000.0,
    rope_factor: 1.0,
    rope_freqs: false,
    tied: true,
};

/// A GGUF of it, with these keys in place of its own, and one more tensor where it is named.
fn gguf(keys: &[(&str, Value)], more: Option<(&str, TensorType)>) -> Vec<u8> {
    let mut metadata = Metadata::default();
    for (key, value) in SMALL.metadata().iter().filter(|(key, _)| keys.iter().all(|(other, _)| other != key))
    {
        metadata.push(key, value.clone());
    }
    keys.iter().for_each(|(key, value)| metadata.push(key, value.clone()));
    let mut writer = GgufWriter::new(metadata);
    for (name, dims) in SMALL.tensors() {
        writer.add(&name, &dims, TensorType::F32).unwrap();
    }
    if let Some((name, tensor_type)) = more {
        writer.add(name, &[SMALL.embedding_length], tensor_type).unwrap();
    }
    let mut file = Vec::new();
    writer.write(&mut file, |tensor, out| out.write_all(&vec![0; tensor.bytes as usize])).unwrap();
    file
}

/// What the program says to a command that must fail, in one line.
fn refused(folder: &Path, args: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_unreallm"))
        .args(args)
        .current_dir(folder)
        .env_clear()
        .env("HOME", folder)
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), said.lines().count()), (Some(1), 1), "{args:?}: {said}");
    said.strip_prefix("unreallm: ").expect("errors begin with the program's name").to_owned()
}

#[test]
fn each_says_by_name_what_it_is_and_what_would_help() {
    let tokens = || Value::from(["<s>", "a", "b"].into_iter().collect::<Strings>());
    let tokenizer =
        |model: &str| [("tokenizer.ggml.model", model.into()), ("tokenizer.ggml.tokens", tokens())];
    let byte_pairs = [
        &tokenizer("gpt2")[..],
        &[
            ("tokenizer.ggml.pre", "deepseek-llm".into()),
            ("tokenizer.ggml.merges", Strings::default().into()),
            ("tokenizer.ggml.token_type", (&[1i32, 1, 1][..]).into()),
        ],
    ]
    .concat();
    let good = gguf(&[], None);
    let big_endian = [&b"GGUF"[..], &3u32.to_be_bytes(), &good[8..]].concat();
    let safetensors =
        [&60u64.to_le_bytes()[..], br#"{"model.norm.weight":{"dtype":"F32","shape":[8]"#].concat();
    let zip = [&b"PK\x03\x04\x14\0\0\0\0\0\0\0\0\0"[..], b"model/data.pkl", &[0; 64]].concat();
    let key = |key, value| gguf(&[(key, value)], None);
    let files: [(&str, Vec<u8>, &str); 14] = [
        ("qwen.gguf", key("general.architecture", "qwen2".into()), "architecture is \"qwen2\""),
        ("experts.gguf", key("llama.expert_count", 8u32.into()), "has experts (llama.expert_count is 8)"),
        ("window.gguf", key("llama.attention.sliding_window", 64u32.into()), "has a sliding window"),
        ("yarn.gguf", key("llama.rope.scaling.type", "yarn".into()), "scaled by \"yarn\""),
        (
            "bias.gguf",
            gguf(&[], Some(("blk.0.attn_q.bias", TensorType::F32))),
            "has biases (blk.0.attn_q.bias)",
        ),
        ("vocab.gguf", key("tokenizer.ggml.tokens", Strings::default().into()), "has 0"),
        ("bert.gguf", gguf(&tokenizer("bert"), None), "tokenizer is \"bert\""),
        ("pre.gguf", gguf(&byte_pairs, None), "pre-tokenizer is \"deepseek-llm\""),
        ("small-00001-of-00003.gguf", good.clone(), "split into 3 files; join them"),
        ("cut.gguf", good[..good.len() - 40].to_vec(), "cut short: the tensor"),
        ("big.gguf", big_endian, "is big-endian"),
        ("model.safetensors", safetensors, "a safetensors file; llama.cpp's convert_hf_to_gguf.py"),
        ("model.pth", zip, "a PyTorch checkpoint; llama.cpp's convert_hf_to_gguf.py"),
        ("model.txt", b"This is a letter to my aunt.\n".repeat(20), "a text, not a model"),
    ];
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes, wanted) in &files {
        fs::write(folder.path().join(name), bytes).unwrap();
        let said = refused(folder.path(), &["image", name, "-o", "disk.img"]);
        assert!(said.starts_with(&format!("{name}: ")) && said.contains(wanted), "{said}");
        // What a GGUF holds can be looked at, also where it cannot be run.
        if !name.ends_with(".gguf") {
            assert_eq!(refused(folder.path(), &["inspect", name]), said);
        }
    }
    assert!(!folder.path().join("disk.img").exists());
}
