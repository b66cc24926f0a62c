//! What a file is that was given as a model and is no llama2.c checkpoint, but a GGUF or no model at
//! all: by its first bytes, so that no number of another format's header is taken for a size of a model.
//!
//! A version 0 checkpoint has no magic number. Its header is seven sizes, and no other format here
//! begins with seven numbers that could be sizes; so a file that does is never called foreign.
use crate::shape::{MAX_LAYERS, MAX_LENGTH};
use std::fmt;

/// As many of a file's first bytes as [`Foreign::of`] looks at.
pub const FIRST_BYTES: usize = 1024;
/// Numbers in a version 0 header: dim, hidden_dim, n_layers, n_heads, n_kv_heads, vocab_size, seq_len.
const SIZES: usize = 7;
/// What llama2.c's checkpoints of version 1 and later begin with: 0x616B3432, little-endian.
const LLAMA2C_MAGIC: &[u8] = b"24ka";
/// So many of a header's sizes may be wrong for it still to be called a checkpoint's.
const WRONG_SIZES: usize = 3;

/// A file that is no llama2.c checkpoint.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Foreign {
    /// No bytes at all.
    Empty,
    /// Zeros as far as was looked.
    Zeros,
    /// Weights in Hugging Face's format.
    Safetensors,
    /// A zip archive with PyTorch's pickle in it.
    PytorchZip,
    /// Another zip archive.
    Zip,
    /// A pickle, as PyTorch wrote before version 1.6.
    Pickle,
    /// A program or library.
    Elf,
    /// A compressed file, by the program that unpacks it.
    Compressed(&'static str),
    /// A tar archive.
    Tar,
    /// A GGUF.
    Gguf,
    /// What GGUF came after: ggml, ggmf, ggjt, ggla.
    OldGgml,
    /// The place holder of a large file in a Git repository.
    LfsPointer,
    /// A page of the web.
    Html,
    /// JSON.
    Json,
    /// Another text.
    Text,
    /// A disk or its boot sector.
    Disk,
    /// Something else, by its first bytes.
    Unknown([u8; 4]),
}

/// Magic numbers, and where they stand.
const MAGICS: [(usize, &[u8], Foreign); 15] = [
    (0, b"GGUF", Foreign::Gguf),
    // ggml's magics are numbers, so their letters stand in the file the other way round.
    (0, b"lmgg", Foreign::OldGgml),
    (0, b"fmgg", Foreign::OldGgml),
    (0, b"tjgg", Foreign::OldGgml),
    (0, b"algg", Foreign::OldGgml),
    (0, b"PK\x03\x04", Foreign::Zip),
    (0, b"\x7FELF", Foreign::Elf),
    (0, b"\x1F\x8B\x08", Foreign::Compressed("gunzip")),
    (0, b"\x28\xB5\x2F\xFD", Foreign::Compressed("zstd -d")),
    (0, b"\xFD7zXZ\0", Foreign::Compressed("unxz")),
    (0, b"BZh", Foreign::Compressed("bunzip2")),
    (0, b"7z\xBC\xAF\x27\x1C", Foreign::Compressed("7z x")),
    (0, b"version https://git-lfs", Foreign::LfsPointer),
    (257, b"ustar", Foreign::Tar),
    (510, b"\x55\xAA", Foreign::Disk), // a boot sector's signature
];

impl Foreign {
    /// What a file is by its first [`FIRST_BYTES`], or by all of it where it is shorter. `None` for a
    /// llama2.c checkpoint, also for one that is cut or whose header has a wrong number.
    pub fn of(first: &[u8]) -> Option<Self> {
        if first.is_empty() {
            return Some(Self::Empty);
        }
        if first.starts_with(LLAMA2C_MAGIC) || wrong_sizes(first) == Some(0) {
            return None;
        }
        if let Some(foreign) = by_magic(first) {
            return Some(foreign);
        }
        if is_safetensors(first) {
            return Some(Self::Safetensors);
        }
        if first.iter().all(|&byte| byte == 0) {
            return Some(Self::Zeros);
        }
        if let Some(text) = text_of(first) {
            return Some(kind_of_text(text));
        }
        let unlike_a_header = wrong_sizes(first).is_some_and(|wrong| wrong > WRONG_SIZES);
        first.first_chunk().filter(|_| unlike_a_header).copied().map(Self::Unknown)
    }
}

/// How many of a version 0 header's sizes cannot be; `None` where there is no whole header.
fn wrong_sizes(first: &[u8]) -> Option<usize> {
    const LAYERS: usize = 2;
    const VOCABULARY: usize = 5;
    let (sizes, _) = first.as_chunks::<4>();
    let wrong = |(i, bytes): (usize, &[u8; 4])| {
        let size = i32::from_le_bytes(*bytes);
        let (size, limit) = match i {
            LAYERS => (size, MAX_LAYERS),
            VOCABULARY => (size.saturating_abs(), MAX_LENGTH), // negative: a classifier of its own
            _ => (size, MAX_LENGTH),
        };
        !usize::try_from(size).is_ok_and(|size| (1..=limit).contains(&size))
    };
    let sizes = sizes.get(..SIZES)?;
    Some(sizes.iter().enumerate().filter(|&size| wrong(size)).count())
}

fn by_magic(first: &[u8]) -> Option<Foreign> {
    let stands =
        |(at, magic, _): &(usize, &[u8], _)| first.get(*at..).is_some_and(|rest| rest.starts_with(magic));
    match MAGICS.into_iter().find(stands) {
        // The first entry of PyTorch's archives is NAME/data.pkl.
        Some((.., Foreign::Zip)) if first.windows(8).any(|part| part == b"data.pkl") => {
            Some(Foreign::PytorchZip)
        }
        Some((.., foreign)) => Some(foreign),
        // A pickle: PROTO 2 to 5, then an opcode. 640 as a dim would have a zero there.
        None => matches!(first, [0x80, 2..=5, b'('..=0xFF, ..]).then_some(Foreign::Pickle),
    }
}

/// Safetensors begin with the length of their header, which is JSON.
fn is_safetensors(first: &[u8]) -> bool {
    /// The longest header, by the format's definition.
    const LONGEST: u64 = 100_000_000;
    let Some((length, json)) = first.split_first_chunk() else { return false };
    json.starts_with(b"{\"") && u64::from_le_bytes(*length) <= LONGEST
}

/// The bytes as a text, where they are one; its last character may be cut.
fn text_of(first: &[u8]) -> Option<&str> {
    let text = match str::from_utf8(first) {
        Ok(text) => text,
        Err(error) if error.error_len().is_none() => str::from_utf8(&first[..error.valid_up_to()]).ok()?,
        Err(_) => return None,
    };
    let is_text = |c: char| !c.is_control() || matches!(c, '\t'..='\r' | '\x1B');
    (!text.is_empty() && text.chars().all(is_text)).then_some(text)
}

fn kind_of_text(text: &str) -> Foreign {
    let text = text.trim_start_matches('\u{FEFF}').trim_start();
    let begins = |start: &str| text.get(..start.len()).is_some_and(|own| own.eq_ignore_ascii_case(start));
    if ["<!doctype", "<html", "<head", "<body", "<?xml", "<!--"].into_iter().any(begins) {
        return Foreign::Html;
    }
    if begins("{") || begins("[") { Foreign::Json } else { Foreign::Text }
}

impl fmt::Display for Foreign {
    /// A sentence: what the file is, and how to get a model that can be run.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const CONVERT: &str = "llama.cpp's convert_hf_to_gguf.py makes a GGUF of the model's folder";
        match self {
            Self::Empty => f.write_str("the file is empty; download it again"),
            Self::Zeros => f.write_str("the file begins with nothing but zeros; download it again"),
            Self::Safetensors => write!(f, "this is a safetensors file; {CONVERT}"),
            Self::PytorchZip => write!(
                f,
                "this is a PyTorch checkpoint; {CONVERT}, \
                 and llama2.c's export.py makes a checkpoint of one that llama2.c trained"
            ),
            Self::Pickle => write!(f, "this is a PyTorch checkpoint of an old kind (a pickle); {CONVERT}"),
            Self::Zip => f.write_str("this is a zip archive; unpack it and name the model in it"),
            Self::Tar => f.write_str("this is a tar archive; unpack it and name the model in it"),
            Self::Compressed(program) => {
                write!(f, "this is a compressed file; unpack it with {program} and name what comes out")
            }
            Self::Elf => f.write_str("this is a program (an ELF file), not a model; name the model's file"),
            Self::Gguf => f.write_str("this is a GGUF, not a llama2.c checkpoint"),
            Self::OldGgml => f.write_str(
                "this is a model in ggml's format of before GGUF; download its GGUF, \
                 or make one of the original with llama.cpp's convert_hf_to_gguf.py",
            ),
            Self::LfsPointer => f.write_str(
                "this is not the model but Git LFS's pointer to it; \
                 `git lfs pull` in its repository brings the file",
            ),
            Self::Html => f.write_str(
                "this is a page of the web (HTML), not a model; \
                 download the file itself, by the page's link for it",
            ),
            Self::Json => f.write_str("this is JSON, not a model; name the file with the weights"),
            Self::Text => f.write_str("this is a text, not a model; name the file with the weights"),
            Self::Disk => f.write_str(
                "this is a disk image (it ends its first sector like a boot sector), not a model; \
                 name the checkpoint or the GGUF",
            ),
            Self::Unknown(first) => write!(
                f,
                "this is neither a llama2.c checkpoint nor a GGUF: it begins with the bytes {first:02X?}; {CONVERT}"
            ),
        }
    }
}

#[cfg(test)]
mod tests;
