//! The whole way from a checkpoint to a story and to figures, on real models.
//!
//! bedtime260K is in the repository. stories260K and the texts to score are read from the folders
//! in `UNREALLM_MODELS` (and `eval` beside each); where they are not, the tests on them are skipped.
use libtest_mimic::{Arguments, Failed, Trial};
use model::attention::KvCache;
use model::engine::{Engine, EngineKind};
use model::generate::{Generator, Options};
use model::host::checkpoint::Checkpoint;
use model::host::fp32::{Fp32, Weights};
use model::host::pack::pack_in_memory;
use model::host::processors::Threads;
use model::host::refine::small::{Steps, refine};
use model::host::score::{Summary, read_story, stories, story_tokens};
use model::host::vocabulary::llama2c;
use model::int8::Int8;
use model::packed::{Model, Packed};
use model::sampler::{Sampler, argmax};
use model::sectorllm::Sectorllm;
use model::simd::Simd;
use model::workers::Processors;
use rayon::prelude::*;
use std::fs::{File, read, read_to_string};
use std::path::{Path, PathBuf};

/// What llama2.c publishes as its output for stories260K: greedy, 200 steps.
const LLAMA2C_GOLDEN: &str = "Once upon a time, there was a little girl named Lily. She loved to play outside in the park. One day, she saw a big, red ball. She wanted to play with it, but it was too high.
Lily's mom said, \"Lily, let's go to the park.\" Lily was sad and didn't know what to do. She said, \"I want to play with your ball, but I can't find it.\"
Lily was sad and didn't know what to do. She said, \"I'm sorry, Lily. I didn't know what to do.\"
Lily didn't want to help her mom, so she";

/// What sectorllm's 1356-byte build prints for stories260K.
const SECTOR_GOLDEN: &str = " Once upon a time, there was a little girl named Lily. She loved to play outside in the park. One day, she saw a big, red ball. She wanted to play with it, but it was too high. She asked her mom, \"Mommy, can I have a ball?\" Her mom said, \"Yes, it's time to go home.\"<0x0A>Lily was so happy and said, \"I will help you.\" Her mom smiled and said, \"Yes, Lily. You can go to the park.\"<0x0A>Lily was so happy and said, \"Thank you, mommy!\" Her mom smiled and said, \"You're welcome, Lily. You are a good friend.\"<0x0A>Lily was happy to have a new friend. She went back to the park and said, \"Thank you, mommy!\"";

fn main() {
    let bedtime = |extension| {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("bedtime260K/bedtime260K").with_extension(extension)
    };
    let bedtime = Some((bedtime("bin"), bedtime("tok.bin")));
    let stories = find("stories260K.bin").zip(find("tok512.bin"));
    let text = find("tinystories-100.txt");
    let scored = stories.clone().zip(text);
    let trials = vec![
        trial("bedtime260k_tells_a_story_with_all_simd", &bedtime, |model| tells_a_story(&model)),
        trial("bedtime260k_is_nearer_to_fp32_when_refined", &bedtime, |model| refined_is_nearer(&model)),
        trial("bedtime260k_runs_in_the_1356_byte_mode", &bedtime, |model| runs_as_sector(&model)),
        trial("fp32_tells_llama2cs_published_story", &stories, |model| fp32_golden(&model)),
        trial("int8_tells_lilys_story", &stories, |model| int8_golden(&model)),
        trial("sector_tells_the_1356_byte_builds_story", &stories, |model| sector_golden(&model)),
        trial("losses_are_as_measured", &scored, |(model, text)| losses(&model, &text)),
    ];
    libtest_mimic::run(&Arguments::from_args(), trials).exit();
}

type Files = (PathBuf, PathBuf);

/// A test that is skipped, and says so, where its files are not there.
fn trial<T: Clone + Send + 'static>(
    name: &str,
    files: &Option<T>,
    test: impl FnOnce(T) -> Result<(), Failed> + Send + 'static,
) -> Trial {
    match files.clone() {
        Some(files) => Trial::test(name, move || test(files)),
        None => Trial::test(name, || Ok(())).with_kind("UNREALLM_MODELS lacks files").with_ignored_flag(true),
    }
}

/// A file in the folders of `UNREALLM_MODELS`, or in `eval` beside them.
fn find(name: &str) -> Option<PathBuf> {
    let folders = std::env::var_os("UNREALLM_MODELS")?;
    let beside = |folder: PathBuf| [folder.join(name), folder.with_file_name("eval").join(name)];
    std::env::split_paths(&folders).flat_map(beside).find(|file| file.is_file())
}

fn load(engine: EngineKind, (checkpoint, tokenizer): &Files) -> Result<(Weights, Packed), Failed> {
    let mut checkpoint = Checkpoint::open(File::open(checkpoint)?)?;
    let weights = Weights::read(&mut checkpoint)?;
    let mut packed = pack_in_memory(engine, &mut checkpoint, &llama2c::pack(&read(tokenizer)?)?, "test")?;
    if engine == EngineKind::Int8 {
        refine(&mut packed, &weights, Steps::ALL);
    }
    let bytes = packed.to_bytes();
    assert_eq!(packed.header.packed_bytes(), bytes.len() as u64);
    assert!(bytes.len() <= 917_504, "{} bytes do not fit the image of 1 MiB", bytes.len());
    Ok((weights, packed))
}

/// The weights for the int8 engine.
fn model(packed: &Packed) -> Model<'_> {
    packed.model().expect("it was packed for int8")
}

/// A greedy story and the CRCs of its logits.
fn story(packed: &Packed, engine: &mut dyn Engine, raw_bytes: bool) -> Result<(String, Vec<u32>), Failed> {
    let text = packed.text()?;
    let options = Options { steps: 256, trace: true, raw_bytes, ..Options::default() };
    let mut generator = Generator::new(engine, &text.vocabulary, Sampler::greedy(), &[], options)?;
    let (mut text, mut crcs) = (Vec::new(), Vec::new());
    while let Some(step) = generator.step() {
        text.extend(step.piece.bytes());
        crcs.extend(step.logits_crc);
    }
    Ok((String::from_utf8(text)?, crcs))
}

fn tells_a_story(files: &Files) -> Result<(), Failed> {
    let (_, packed) = load(EngineKind::Int8, files)?;
    let (text, crcs) = story(&packed, &mut Int8::new(model(&packed), 512, Simd::Scalar)?, false)?;
    assert!(text.starts_with("Once upon a time, there was a "), "{text}");
    for simd in Simd::all() {
        let (_, same) = story(&packed, &mut Int8::new(model(&packed), 512, simd)?, false)?;
        assert_eq!(crcs, same, "{simd:?} gives the same logits");
    }
    for workers in [2, 3, 4] {
        let processors = Processors { simd: Simd::best(), workers: &Threads(workers) };
        let cache = KvCache::new(&packed.header.shape, 512)?;
        let (_, same) = story(&packed, &mut Int8::on(processors, model(&packed), cache)?, false)?;
        assert_eq!(crcs, same, "{workers} processors give the same logits");
    }
    let (short, same) = story(&packed, &mut Int8::new(model(&packed), 20, Simd::best())?, false)?;
    let (within, past) = same.split_at(20);
    assert_eq!(within, &crcs[..20], "a shorter context changes nothing before its end");
    assert!(past[0] != crcs[20] && short.len() > 200, "and the story goes on past it: {short}");
    Ok(())
}

/// On fp32's own story: refinement halves the distance, whatever computer packs.
fn refined_is_nearer((checkpoint, tokenizer): &Files) -> Result<(), Failed> {
    let files = (checkpoint.clone(), tokenizer.clone());
    let (weights, refined) = load(EngineKind::Int8, &files)?;
    let vocabulary = llama2c::pack(&read(tokenizer)?)?;
    let mut checkpoint = Checkpoint::open(File::open(checkpoint)?)?;
    let nearest = pack_in_memory(EngineKind::Int8, &mut checkpoint, &vocabulary, "test")?;
    assert_eq!(nearest.header.entries.len(), refined.header.entries.len());
    assert_eq!(nearest.header.packed_bytes(), refined.header.packed_bytes(), "it costs no bytes");
    let mut fp32 = Fp32::new(&weights, 512);
    let mut tokens = vec![refined.text()?.vocabulary.start().expect("BOS")];
    for pos in 0..300 {
        let logits = fp32.forward(tokens[pos], pos);
        tokens.push(argmax(&logits.iter().map(|logit| (logit * 65536.0) as i32).collect::<Vec<_>>()));
    }
    let [mut nearest, mut refined] =
        [Int8::new(model(&nearest), 512, Simd::best())?, Int8::new(model(&refined), 512, Simd::best())?];
    let readings = read_story(&mut Fp32::new(&weights, 512), &mut [&mut nearest, &mut refined], &tokens);
    let [nearest, refined] = [1, 2].map(|engine| Summary::of(&readings[engine]).kl);
    println!("KL of the nearest {nearest:.2e}, refined {refined:.2e}");
    assert!(refined < 0.7 * nearest, "{refined} is not below {nearest}");
    Ok(())
}

fn runs_as_sector(files: &Files) -> Result<(), Failed> {
    let (_, packed) = load(EngineKind::Sectorllm, files)?;
    let (text, _) =
        story(&packed, &mut Sectorllm::new(packed.sectorllm().expect("its weights"), 512)?, false)?;
    assert!(text.starts_with("Once upon a time, there was a "), "{text}");
    Ok(())
}

fn fp32_golden(files: &Files) -> Result<(), Failed> {
    let (weights, packed) = load(EngineKind::Int8, files)?;
    let vocabulary = packed.text()?.vocabulary;
    let mut engine = Fp32::new(&weights, 512);
    let (mut token, mut text) = (vocabulary.start().expect("BOS"), Vec::new());
    for pos in 0..200 {
        let logits: Vec<i32> =
            engine.forward(token, pos).iter().map(|logit| (logit * 65536.0) as i32).collect();
        let next = argmax(&logits);
        text.extend(vocabulary.decode(token, next, false).bytes());
        token = next;
    }
    assert_eq!(String::from_utf8(text)?, LLAMA2C_GOLDEN);
    Ok(())
}

fn int8_golden(files: &Files) -> Result<(), Failed> {
    let (_, packed) = load(EngineKind::Int8, files)?;
    let (text, _) = story(&packed, &mut Int8::new(model(&packed), 512, Simd::best())?, false)?;
    let common = text.bytes().zip(LLAMA2C_GOLDEN.bytes()).take_while(|(a, b)| a == b).count();
    assert_eq!(common, LLAMA2C_GOLDEN.len(), "int8 leaves fp32's story there: {text}");
    Ok(())
}

fn sector_golden(files: &Files) -> Result<(), Failed> {
    let (_, packed) = load(EngineKind::Sectorllm, files)?;
    let (text, _) =
        story(&packed, &mut Sectorllm::new(packed.sectorllm().expect("its weights"), 512)?, true)?;
    assert_eq!(text, SECTOR_GOLDEN);
    Ok(())
}

/// fp32 is llama2.c's, int8 is within 0.001 nats and a KL of 0.0003 of it, the 1356-byte mode is sectorllm's.
fn losses(files: &Files, text: &Path) -> Result<(), Failed> {
    let (weights, packed) = load(EngineKind::Int8, files)?;
    let (_, sectorllm) = load(EngineKind::Sectorllm, files)?;
    let vocabulary = packed.text()?.vocabulary;
    let text = read_to_string(text)?;
    let readings: Vec<_> = stories(&text)
        .par_iter()
        .map(|story| {
            let (tokens, _) = story_tokens(&vocabulary, story, 512).expect("the tokenizer has byte pieces");
            let mut int8 = Int8::new(model(&packed), 512, Simd::best()).expect("there is memory");
            let mut sector =
                Sectorllm::new(sectorllm.sectorllm().expect("its weights"), 512).expect("there is memory");
            let mut fp32 = Fp32::new(&weights, 512);
            read_story(&mut fp32, &mut [&mut int8, &mut sector], &tokens)
        })
        .collect();
    let [fp32, int8, sector] =
        [0, 1, 2].map(|engine| Summary::of(readings.iter().flat_map(|reading| &reading[engine])));
    println!("fp32 {fp32:?}\nint8 {int8:?}\nsector {sector:?}");
    assert_eq!(fp32.predictions, 33_541);
    assert!((fp32.nats - 1.2843).abs() < 1e-4, "{}", fp32.nats);
    assert!(int8.nats - fp32.nats < 0.001, "{} above fp32", int8.nats - fp32.nats);
    assert!(int8.kl < 3e-4, "{} from fp32", int8.kl);
    assert!((sector.perplexity() - 3.6884).abs() < 1e-4, "{}", sector.perplexity());
    Ok(())
}
