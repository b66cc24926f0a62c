//! Refining, on the model that ships with the project and on random ones.
use super::*;
use crate::engine::EngineKind;
use crate::host::fp32::{Fp32, Weights};
use crate::host::gguf::TensorType;
use crate::host::pack::pack_in_memory;
use crate::host::packed::Reader;
use crate::host::refine::text::{write_text, write_texts};
use crate::host::score::{Summary, read_story};
use crate::host::synth::SyntheticGguf;
use crate::host::vocabulary::{llama2c, pack_gguf};
use crate::int8::Int8;
use crate::simd::Simd;
use std::io::Cursor;

const CHECKPOINT: &[u8] = include_bytes!("../../../../bedtime260K/bedtime260K.bin");
const TOKENIZER: &[u8] = include_bytes!("../../../../bedtime260K/bedtime260K.tok.bin");

/// The refined model's KL is at most this part of the plain one's, the other roundings' included.
const PART: f64 = 0.9;

type File = Checkpoint<Cursor<Vec<u8>>>;

/// The model that ships with the project.
fn bedtime() -> (File, Packed) {
    let mut checkpoint = Checkpoint::open(Cursor::new(CHECKPOINT.to_vec())).unwrap();
    let vocabulary = llama2c::pack(TOKENIZER).unwrap();
    let packed = pack_in_memory(EngineKind::Int8, &mut checkpoint, &vocabulary, "bedtime").unwrap();
    (checkpoint, packed)
}

/// A random model whose matrices a GGUF has with this type.
fn random(tensor_type: TensorType) -> (File, Packed) {
    let model = SyntheticGguf::of_shape("64,160,3,4,2,300,64").unwrap();
    let mut file = Vec::new();
    model.write(1, |_, _| tensor_type, &mut file).unwrap();
    let mut checkpoint = Checkpoint::open(Cursor::new(file)).unwrap();
    let Checkpoint::Gguf(gguf) = &checkpoint else { panic!("what was written is a GGUF") };
    let vocabulary = pack_gguf(&gguf.vocabulary().unwrap()).unwrap();
    let packed = pack_in_memory(EngineKind::Int8, &mut checkpoint, &vocabulary, "random").unwrap();
    (checkpoint, packed)
}

/// Refines a model with texts that it writes; its bytes afterwards.
fn refined(checkpoint: &mut File, packed: &mut Packed, threads: usize) -> Vec<u8> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    pool.install(|| {
        let texts = write_texts(packed, TEXTS, text_tokens(packed.header.shape.seq_len), |_, _| {});
        refine(packed, checkpoint, &texts, |_, _| {}).unwrap();
    });
    packed.to_bytes()
}

#[test]
fn any_number_of_threads_gives_the_same_model() {
    let one = |threads| {
        let (mut checkpoint, mut packed) = random(TensorType::F16);
        let plain = packed.to_bytes();
        let bytes = refined(&mut checkpoint, &mut packed, threads);
        assert_ne!(bytes, plain);
        // Its CRC is right, too.
        Packed::read(&mut Reader(&bytes[..])).unwrap();
        bytes
    };
    assert_eq!(one(1), one(2));
}

/// What refining leaves of a model's mean KL from fp32, on texts that it was not refined with.
fn part_of_kl((mut checkpoint, plain): (File, Packed), mut better: Packed) -> f64 {
    refined(&mut checkpoint, &mut better, 2);
    let weights = Weights::read(&mut checkpoint).unwrap();
    let context = weights.shape.seq_len;
    let read = |seed| {
        let tokens = write_text(&plain, context.min(200), seed, || {});
        let engine = |packed| Int8::new(Packed::model(packed).unwrap(), context, Simd::best()).unwrap();
        let (mut plain, mut better) = (engine(&plain), engine(&better));
        read_story(&mut Fp32::new(&weights, context), &mut [&mut plain, &mut better], &tokens)
    };
    let readings: Vec<_> = (101..=110).map(read).collect();
    let [plain, better] = [1, 2].map(|engine| Summary::of(readings.iter().flat_map(|all| &all[engine])).kl);
    better / plain
}

#[test]
fn a_refined_model_is_nearer_to_fp32() {
    // A scale a row, and groups of columns with their d.
    let rows = part_of_kl(bedtime(), bedtime().1);
    let groups = part_of_kl(random(TensorType::F32), random(TensorType::F32).1);
    assert!(rows < PART && groups < PART, "{rows} and {groups} of the KL are left");
}

#[test]
fn codes_are_left_alone() {
    let (mut checkpoint, mut packed) = random(TensorType::Q8_0);
    assert!(super::entries(&packed, &checkpoint).is_empty());
    let plain = packed.to_bytes();
    assert_eq!(refined(&mut checkpoint, &mut packed, 1), plain);
}

#[test]
fn another_context_takes_the_same_matrices() {
    let (mut checkpoint, mut whole) = random(TensorType::F32);
    let entries = super::entries(&whole, &checkpoint);
    refined(&mut checkpoint, &mut whole, 1);
    checkpoint.limit_context(12);
    let Checkpoint::Gguf(gguf) = &checkpoint else { panic!("what was written is a GGUF") };
    let vocabulary = pack_gguf(&gguf.vocabulary().unwrap()).unwrap();
    let mut short = pack_in_memory(EngineKind::Int8, &mut checkpoint, &vocabulary, "random").unwrap();
    assert!(entries.iter().any(|&at| short.tensor(at) != whole.tensor(at)));
    assert!(adopt(&mut short, &whole, &entries));
    assert!(entries.iter().all(|&at| short.tensor(at) == whole.tensor(at)));
    Packed::read(&mut Reader(&short.to_bytes()[..])).unwrap();
    // A model of another shape has nothing to give.
    assert!(!adopt(&mut short, &bedtime().1, &entries));
}
