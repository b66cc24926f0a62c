//! The way from a checkpoint to a story, on the model in the repository.
use model::generate::{Generator, Options};
use model::host::{checkpoint::Checkpoint, pack::pack};
use model::int8::Int8;
use model::matmul::Kernel;
use model::packed::{Model, PackedHeader};
use model::sampler::Sampler;
use std::io::Cursor;

fn packed(checkpoint: &str, tokenizer: &str) -> Vec<u8> {
    let read = |path: &str| std::fs::read(path).unwrap_or_else(|error| panic!("{path}: {error}"));
    let mut checkpoint = Checkpoint::open(Cursor::new(read(checkpoint))).unwrap();
    let mut out = Cursor::new(Vec::new());
    pack(&mut checkpoint, &read(tokenizer), "test", &mut out, |_, _| {}).unwrap();
    out.into_inner()
}

fn story(packed: &[u8], steps: usize, kernel: Kernel) -> (String, Vec<u32>) {
    let mut source = packed;
    let header = PackedHeader::read(&mut source).unwrap();
    let model = Model::load(&header, &mut source).unwrap();
    let mut engine = Int8::new(&model, model.shape.seq_len, kernel).unwrap();
    let options = Options { steps, trace: true, raw_bytes: false };
    let mut generator = Generator::new(&mut engine, &model.tokenizer, Sampler::greedy(), &[], options);
    let (mut text, mut crcs) = (Vec::new(), Vec::new());
    while let Some(step) = generator.step().unwrap() {
        text.extend(step.piece.bytes());
        crcs.extend(step.logits_crc);
    }
    (String::from_utf8(text).unwrap(), crcs)
}

#[test]
fn bedtime260k_tells_a_story() {
    let dir = concat!(env!("CARGO_MANIFEST_DIR"), "/bedtime260K/bedtime260K");
    let packed = packed(&format!("{dir}.bin"), &format!("{dir}.tok.bin"));
    let (text, crcs) = story(&packed, 100, Kernel::Scalar);
    assert!(text.starts_with("Once upon a time, there was a "), "{text}");
    for kernel in Kernel::all() {
        assert_eq!(crcs, story(&packed, 100, kernel).1, "{kernel:?} gives the same logits");
    }
    println!("{} bytes: {text}", packed.len());
}

#[test]
fn stories260k_tells_lilys_story() {
    let Some(folder) = std::env::var_os("UNREALLM_MODELS") else {
        println!("skipped: UNREALLM_MODELS names no folder with stories260K.bin");
        return;
    };
    let file = |name: &str| format!("{}/{name}", folder.to_string_lossy());
    let packed = packed(&file("stories260K.bin"), &file("tok512.bin"));
    let (text, _) = story(&packed, 256, Kernel::best());
    let start =
        "Once upon a time, there was a little girl named Lily. She loved to play outside in the park.";
    assert!(text.starts_with(start), "{text}");
    println!("{} bytes: {text}", packed.len());
}
