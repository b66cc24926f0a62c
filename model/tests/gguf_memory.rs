//! How much memory a GGUF's header can ask for: not more than some bytes for each byte of the file,
//! whatever its counts and lengths say.
use model::host::gguf::{Gguf, GgufVocabulary, GgufWriter, LlamaConfig, Metadata, Strings, TensorType};
use proptest::prelude::*;
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::io::Cursor;

/// Memory that is taken however small the file is: the reader's buffer, sentences.
const ALWAYS: usize = 64 << 10;
/// Memory for each byte of the file. A directory's entry of 33 bytes becomes a `TensorInfo` of some
/// 72, a name and a list of dims, in a vector that is copied as it grows.
const FOR_EACH_BYTE: usize = 16;

thread_local! {
    /// Bytes that this thread has taken and not given back, and the most there were.
    static TAKEN: Cell<(usize, usize)> = const { Cell::new((0, 0)) };
}

/// The system's allocator, counted for each thread.
struct Counting;

#[global_allocator]
static COUNTING: Counting = Counting;

// SAFETY: every call is handed on as it came to the system's allocator, which keeps the contract; the
// counting takes no memory, as the thread's cell is constant and needs no destructor.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size(), 0);
        // SAFETY: the caller's promises are those that `System` asks for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        count(0, layout.size());
        // SAFETY: the memory came from `System`, by `alloc` above, with this layout.
        unsafe { System.dealloc(memory, layout) }
    }
}

fn count(taken: usize, given_back: usize) {
    let (now, most) = TAKEN.get();
    let now = (now + taken).saturating_sub(given_back);
    TAKEN.set((now, most.max(now)));
}

/// The most memory that reading a file takes at once, with all that is made of its header.
fn memory_to_read(file: &[u8]) -> usize {
    let before = TAKEN.get().0;
    TAKEN.set((before, before));
    if let Ok(gguf) = Gguf::read(&mut Cursor::new(file)) {
        let _ = LlamaConfig::of(&gguf).map_err(|error| error.to_string());
        let _ = GgufVocabulary::of(&gguf.metadata).map_err(|error| error.to_string());
    }
    TAKEN.get().1 - before
}

/// A small model with a vocabulary; only its header matters here.
fn small() -> Vec<u8> {
    let config = LlamaConfig {
        context_length: 64,
        embedding_length: 32,
        block_count: 1,
        feed_forward_length: 32,
        head_count: 2,
        head_count_kv: 1,
        head_size: 16,
        vocab_size: 3,
        epsilon: 1e-5,
        rope_base: 10_000.0,
        rope_factor: 1.0,
        rope_freqs: false,
        tied: true,
    };
    let mut metadata: Metadata = config.metadata();
    metadata.push("tokenizer.ggml.model", "llama");
    metadata.push("tokenizer.ggml.tokens", ["<unk>", "<s>", "</s>"].into_iter().collect::<Strings>());
    metadata.push("tokenizer.ggml.scores", &[0.0; 3][..]);
    metadata.push("tokenizer.ggml.token_type", &[2, 3, 3][..]);
    let mut writer = GgufWriter::new(metadata);
    for (name, dims) in config.tensors() {
        writer.add(&name, &dims, TensorType::Q8_0).expect("dims are multiples of 32");
    }
    let mut file = Vec::new();
    let zeros = |tensor: &model::host::gguf::TensorInfo, out: &mut dyn std::io::Write| {
        out.write_all(&vec![0; tensor.bytes as usize])
    };
    writer.write(&mut file, zeros).expect("a Vec takes everything");
    file
}

fn most_for(file: &[u8]) -> usize {
    ALWAYS + FOR_EACH_BYTE * file.len()
}

#[test]
fn the_count_sees_memory() {
    let before = TAKEN.get().0;
    TAKEN.set((before, before));
    drop(vec![1u8; 1 << 20]);
    assert!(TAKEN.get().1 - before >= 1 << 20);
    let small = small();
    assert!((1000..most_for(&small)).contains(&memory_to_read(&small)));
}

#[test]
fn huge_counts_take_no_memory() {
    let good = small();
    let values = [1u64 << 16, 1 << 24, 1 << 31, 1 << 40, 1 << 60, u64::MAX];
    for (at, value) in (4..good.len() - 8).flat_map(|at| values.map(|value| (at, value))) {
        let mut file = good.clone();
        file[at..at + 8].copy_from_slice(&value.to_le_bytes());
        let taken = memory_to_read(&file);
        assert!(taken <= most_for(&file), "{taken} bytes for {value} at {at}");
    }
}

#[test]
fn the_smallest_keys_and_tensors_take_little_memory() {
    let header = |tensors: u64, keys: u64| {
        [&b"GGUF"[..], &3u32.to_le_bytes(), &tensors.to_le_bytes(), &keys.to_le_bytes()].concat()
    };
    let entry = |i: u64| [&4u64.to_le_bytes()[..], format!("{i:04x}").as_bytes()].concat();
    let (mut keys, mut tensors) = (header(0, 10_000), header(10_000, 0));
    for i in 0..10_000 {
        keys.extend([&entry(i)[..], &[0, 0, 0, 0, 1]].concat()); // a u8
        let dims = [&1u32.to_le_bytes()[..], &1u64.to_le_bytes()].concat();
        tensors.extend([&entry(i)[..], &dims, &0u32.to_le_bytes(), &(32 * i).to_le_bytes()].concat());
    }
    let mut strings = [&header(0, 1)[..], &entry(0), &9u32.to_le_bytes(), &8u32.to_le_bytes()].concat();
    strings.extend(10_000u64.to_le_bytes());
    strings.extend([0; 8 * 10_000]); // empty ones
    for file in [keys, tensors, strings] {
        let taken = memory_to_read(&file);
        assert!((file.len()..most_for(&file)).contains(&taken), "{taken} bytes for {}", file.len());
    }
}

proptest! {
    #[test]
    fn damaged_files_take_little_memory(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..12),
    ) {
        let mut file = small();
        let length = file.len().min(2048);
        changes.into_iter().for_each(|(place, byte)| file[place.index(length)] = byte);
        let taken = memory_to_read(&file);
        prop_assert!(taken <= most_for(&file), "{} bytes", taken);
    }
}
