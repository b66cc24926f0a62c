//! GGUF files of every type and both tokenizers, and the published shapes beyond 110M: host = machine on random
//! weights.
use std::{
    cell::Cell,
    fs::File,
    io::{BufReader, BufWriter, Seek, SeekFrom, Write},
    path::Path,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use libtest_mimic::Trial;
use machine::{
    Error,
    bochs::Bochs,
    golden::{self, Golden, synthetic_gguf, traced},
    outcome::{Outcome, judge},
    qemu::Qemu,
};
use map::disk::{MODEL_LBA, SECTOR};
use model::{
    host::{
        checkpoint::Checkpoint,
        gguf::TensorType,
        packed::Reader,
        synth::{FileType, SyntheticGguf, Tokenizer},
    },
    packed::Packed,
};
use protocol::settings::Settings;
use tempfile::TempDir;
use unreallm::{
    embedded,
    image::{self, Medium},
};

use crate::{
    case::{Trouble, case, ensure},
    trace::equals,
};

/// dim, hidden, layers, heads, kv heads, vocabulary, context: blocks of 256 divide all rows.
const SMALL: &str = "256,512,2,4,2,-320,64";
/// Tokens of a small model, those of the beginning included.
const TOKENS: u32 = 24;
/// Tokens in Bochs.
const FEW_TOKENS: u32 = 12;
/// A beginning, of whole words and of bytes.
const BEGINNING: &str = "ab ç 12";
/// Tokens of a large model.
const LARGE_TOKENS: u32 = 8;
/// Its context: no more is needed, and a longer one costs time.
const LARGE_CONTEXT: usize = 512;

/// The tests of this file.
pub fn cases() -> Vec<Trial> {
    let mut cases: Vec<Trial> = (FileType::all().enumerate())
        .map(|(number, file_type)| {
            case(&format!("gguf::{}_qemu", file_type.name()), move || {
                let (model, bits) = small(number);
                let type_of = |tensor: &str, columns| file_type.tensor_type(&model.config, tensor, columns);
                let golden = told(&synthetic_gguf(&model, type_of, bits)?, &settings(number, TOKENS))?;
                // One with SSE4.1, the next without.
                let cpu = (number % 2 == 0).then_some("max");
                tells(&Qemu { cpu, ..Qemu::q35() }, &golden)
            })
        })
        .collect();
    let smp = ["-smp", "2"].map(String::from);
    cases.extend(
        [
            ("486", Qemu { cpu: Some("486"), ..Qemu::default() }, 1),
            ("2_cpus", Qemu { cpu: Some("max"), extra: smp.into(), ..Qemu::q35() }, 2),
        ]
        .map(|(name, qemu, cpus)| {
            case(&format!("gguf::all_types_in_one_file_{name}"), move || {
                let (model, bits) = small(0);
                let settings = Settings { cpus, ..settings(0, TOKENS) };
                tells(&qemu, &told(&all_types(&model, 0, bits)?, &settings)?)
            })
        }),
    );
    cases.extend((0..3).map(|number| {
        case(&format!("gguf::all_types_in_one_file_bochs_{number}"), move || {
            let (model, bits) = small(number);
            let golden = told(&all_types(&model, number, bits)?, &settings(number, FEW_TOKENS))?;
            equals(&mut Bochs::default().boot(&golden.image)?, &golden).map(drop)
        })
    }));
    cases.extend([
        case("gguf::without_bos_it_starts_from_the_end_of_a_text", starts_from_end_of_text),
        case("gguf::without_a_start_it_needs_a_beginning", needs_a_beginning),
    ]);
    for (shape, file_type, memory) in [
        ("SmolLM2-360M", FileType::All(TensorType::Q4_0), 640),
        ("TinyLlama-1.1B", FileType::All(TensorType::Q4_0), 1024),
        ("Llama-3.2-1B", FileType::Q4KM, 1228),
    ] {
        cases.push(case(&format!("gguf::{shape}_{}", file_type.name()), move || {
            large(
                shape,
                file_type,
                Qemu { memory: Some(memory), limit: Duration::from_secs(300), ..Qemu::q35() },
            )
        }));
    }
    cases
}

/// A small model, another one for each number: tokenizers with and without BOS, heads as wide as dim / heads and
/// others, RoPE as it is, with divisors and scaled; and the fraction bits of its residual stream.
fn small(number: usize) -> (SyntheticGguf, i32) {
    let mut model = SyntheticGguf::of_shape(SMALL).expect("it is a shape");
    model.tokenizer = [Tokenizer::LLAMA, Tokenizer::SMOLLM, Tokenizer::LLAMA3][number % 3];
    let config = &mut model.config;
    config.head_size = [64, 128][number % 2];
    config.tied = number % 4 == 3;
    config.epsilon = [1e-5, 1e-6][number % 2];
    (config.rope_base, config.rope_freqs, config.rope_factor) =
        [(10_000.0, false, 4.0), (100_000.0, false, 1.0), (500_000.0, true, 1.0)][number % 3];
    (model, [16, 13][number % 2])
}

/// Every other model begins with a text. Where a story ends by chance, another one follows.
fn settings(number: usize, tokens: u32) -> Settings {
    let prompt = if number.is_multiple_of(2) { BEGINNING.into() } else { String::new() };
    Settings { prompt, endless: true, ..traced(tokens) }
}

/// A model in which every type that is read stands, each matrix's next to the one before.
fn all_types(model: &SyntheticGguf, first: usize, residual_bits: i32) -> Result<Vec<u8>, Trouble> {
    let next = Cell::new(first);
    let type_of = |_: &str, _| TensorType::ALL[next.replace(next.get() + 1) % TensorType::ALL.len()];
    let packed = synthetic_gguf(model, type_of, residual_bits)?;
    ensure(next.get() - first >= TensorType::ALL.len(), || "too few matrices for all types".into())?;
    Ok(packed)
}

/// A model with its image and its story, which must be as long as was asked for.
fn told(packed: &[u8], settings: &Settings) -> Result<Golden, Trouble> {
    let golden = Golden::of_packed(packed, &embedded::machine_code(), settings, Medium::Disk)?;
    ensure(golden.trace.len() == settings.steps as usize, || {
        format!("the host's story ends after {} tokens", golden.trace.len())
    })?;
    Ok(golden)
}

fn tells(qemu: &Qemu, golden: &Golden) -> Result<(), Trouble> {
    let outcome = judge(&mut qemu.boot(&golden.image)?, &golden.trace)?;
    ensure(outcome == Outcome::Told, || format!("{outcome:?}"))
}

/// What stands between texts is where a text without a beginning starts.
fn starts_from_end_of_text() -> Result<(), Trouble> {
    let (mut model, bits) = small(1);
    model.tokenizer =
        Tokenizer { special: &["<|im_start|>", "<|im_end|>", "<|endoftext|>"], ..Tokenizer::SMOLLM };
    let bytes = all_types(&model, 0, bits)?;
    let packed = Packed::read(&mut &bytes[..]).map_err(|error| Trouble::Wrong(error.to_string()))?;
    let start = packed.text().map_err(|error| Trouble::Wrong(error.to_string()))?.vocabulary.start();
    ensure(start == Some(2), || format!("it starts from {start:?}"))?;
    tells(&Qemu::q35(), &told(&bytes, &traced(TOKENS))?)
}

/// Host and machine refuse an empty beginning by the same sentence, and take any other.
fn needs_a_beginning() -> Result<(), Trouble> {
    let (mut model, bits) = small(1);
    model.tokenizer =
        Tokenizer { special: &["<|im_start|>", "<|im_end|>"], bos: 0, eos: 1, ..Tokenizer::SMOLLM };
    let packed = all_types(&model, 0, bits)?;
    let Err(Error::Answer { answer, .. }) = golden::tell(&packed, &traced(TOKENS)) else {
        return Err(Trouble::Wrong("the host tells a story from nothing".into()));
    };
    ensure(answer.contains("beginning"), || answer.clone())?;
    let image = golden::image_of(&packed, &embedded::machine_code(), &traced(TOKENS), Medium::Disk)?;
    let outcome = judge(&mut Qemu::q35().boot(&image)?, &[])?;
    let expected = Outcome::Stopped { reason: format!("unreallm: {answer}"), off: true };
    ensure(outcome == expected, || format!("{outcome:?}, not {expected:?}"))?;
    tells(&Qemu::q35(), &told(&packed, &Settings { prompt: BEGINNING.into(), ..traced(TOKENS) })?)
}

/// A model of a published shape, by files: it is in memory once, and not together with another.
fn large(shape: &str, file_type: FileType, qemu: Qemu) -> Result<(), Trouble> {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _one = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let settings = traced(LARGE_TOKENS);
    let folder = TempDir::with_prefix("unreallm-large-").map_err(Error::io("make a folder"))?;
    let disk = folder.path().join("disk.img");
    write_image(shape, file_type, &settings, &disk)?;
    let trace = {
        let mut file = File::open(&disk).map_err(Error::io("open the image"))?;
        let model = SeekFrom::Start(u64::from(MODEL_LBA) * u64::from(SECTOR));
        file.seek(model).map_err(Error::io("read the image"))?;
        let packed = Packed::read(&mut Reader(BufReader::new(file)));
        golden::tell_packed(&packed.map_err(|error| Trouble::Wrong(error.to_string()))?, &settings)?.1
    };
    ensure(trace.len() == LARGE_TOKENS as usize, || format!("the host tells {} tokens", trace.len()))?;
    let outcome = judge(&mut qemu.boot_file(&disk)?, &trace)?;
    ensure(outcome == Outcome::Told, || format!("{outcome:?}"))
}

/// Writes a GGUF, and a disk image of it.
fn write_image(shape: &str, file_type: FileType, settings: &Settings, disk: &Path) -> Result<(), Trouble> {
    let wrong = |error: &dyn std::fmt::Display| Trouble::Wrong(error.to_string());
    let model = SyntheticGguf::of_shape(shape).map_err(|error| wrong(&error))?;
    let path = disk.with_extension("gguf");
    let mut file = BufWriter::new(File::create(&path).map_err(Error::io("write the GGUF"))?);
    let type_of = |tensor: &str, columns| file_type.tensor_type(&model.config, tensor, columns);
    model.write(1, type_of, &mut file).map_err(|error| wrong(&error))?;
    file.flush().map_err(Error::io("write the GGUF"))?;
    let file = BufReader::new(File::open(&path).map_err(Error::io("open the GGUF"))?);
    let mut checkpoint = Checkpoint::open(file).map_err(|error| wrong(&error))?;
    checkpoint.limit_context(LARGE_CONTEXT);
    let sectors = settings.to_sectors().map_err(|error| wrong(&error))?;
    image::write(disk, Medium::Disk, &embedded::machine_code(), &sectors, |out| {
        golden::pack_gguf_into(&mut checkpoint, out)
    })
    .map_err(|error| wrong(&error))?;
    Ok(std::fs::remove_file(&path).map_err(Error::io("remove the GGUF"))?)
}
