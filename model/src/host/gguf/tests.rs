use super::*;
use proptest::prelude::*;
use std::io::{self, Cursor};

/// Tensors by name, dims and type.
type Tensors<'t> = &'t [(&'t str, &'t [usize], TensorType)];

/// A file of this metadata and these tensors, whose bytes count up.
pub fn file_of(metadata: Metadata, tensors: Tensors) -> Vec<u8> {
    let mut writer = GgufWriter::new(metadata);
    for (name, dims, tensor_type) in tensors {
        writer.add(name, dims, *tensor_type).unwrap();
    }
    let (mut file, mut next) = (Vec::new(), 0u8);
    let data = |tensor: &TensorInfo, out: &mut dyn std::io::Write| {
        let bytes: Vec<u8> = (0..tensor.bytes).map(|i| next.wrapping_add(i as u8)).collect();
        next = next.wrapping_add(101);
        out.write_all(&bytes)
    };
    writer.write(&mut file, data).unwrap();
    file
}

pub fn read(file: &[u8]) -> Result<Gguf, GgufError> {
    Gguf::read(&mut Cursor::new(file))
}

/// Metadata of these keys.
pub fn metadata_of<const N: usize>(entries: [(&str, Value); N]) -> Metadata {
    let mut metadata = Metadata::default();
    entries.into_iter().for_each(|(key, value)| metadata.push(key, value));
    metadata
}

fn numbers(value_type: ValueType, bytes: &[u8]) -> Value {
    Value::Array(Array::Numbers(Numbers::from_bytes(value_type, bytes.to_vec()).unwrap()))
}

/// A value of each type, and an array of each that can be in one.
fn all_values() -> Metadata {
    let bytes: Vec<u8> = (0..16).collect();
    let mut metadata = metadata_of([
        ("text", "größer".into()),
        ("no.text", Value::String(b"\xFF\xFE".to_vec())),
        ("no", false.into()),
        ("strings", ["a", "", "bc"].into_iter().collect::<Strings>().into()),
        ("no.strings", Strings::default().into()),
        ("bools", numbers(ValueType::Bool, &[0, 1, 1])),
    ]);
    for value_type in ValueType::ALL {
        let Some(width) = value_type.width() else { continue };
        let name = value_type.name();
        metadata.push(
            name,
            Value::from_bytes(value_type, &[[1, 0], [0; 2], [0; 2], [0; 2]].concat()[..width]).unwrap(),
        );
        if value_type != ValueType::Bool {
            metadata.push(&format!("{name}s"), numbers(value_type, &bytes));
        }
    }
    metadata
}

const TENSORS: Tensors = &[
    ("vector", &[5], TensorType::F32),
    ("matrix", &[64, 3], TensorType::Q4_1),
    ("cube", &[256, 2, 2], TensorType::Q6K),
    ("halves", &[3, 1, 1, 7], TensorType::F16),
];

#[test]
fn what_was_written_is_read() {
    let file = file_of(all_values(), TENSORS);
    let gguf = read(&file).unwrap();
    assert_eq!((gguf.version, gguf.alignment, gguf.file_bytes), (3, 32, file.len() as u64));
    assert_eq!(gguf.metadata, all_values());
    let places: Vec<_> = gguf.tensors.iter().map(|t| (&t.name[..], &t.dims[..], t.tensor_type)).collect();
    assert_eq!(places, TENSORS);
    let data = gguf.tensors[0].offset;
    let offsets: Vec<_> = gguf.tensors.iter().map(|tensor| tensor.offset - data).collect();
    assert_eq!(offsets, [0, 32, 160, 1024], "20, 3·2·20 and 4·210 bytes, padded to 32");
    assert_eq!(gguf.tensors[3].end(), data + 1024 + 2 * 21);
    assert_eq!(gguf.file_bytes, data + 1024 + 64);
    assert_eq!(file_of(gguf.metadata, TENSORS), file, "and written again it is the same");
}

#[test]
fn version_2_and_other_alignments_are_read() {
    let mut file = file_of(metadata_of([("general.alignment", 256u32.into())]), TENSORS);
    file[4] = 2;
    let gguf = read(&file).unwrap();
    assert_eq!((gguf.version, gguf.alignment), (2, 256));
    assert!(gguf.tensors.iter().all(|tensor| tensor.offset.is_multiple_of(256)));
    assert_eq!(gguf.tensor("cube").unwrap().bytes, 4 * 210);
    assert_eq!(gguf.tensor("sphere"), None);
}

#[test]
fn rows_are_read_in_any_pieces() {
    let file = file_of(all_values(), TENSORS);
    let (gguf, mut reader) = (read(&file).unwrap(), Cursor::new(&file[..]));
    let mut rows = Vec::new();
    for tensor in &gguf.tensors {
        tensor.read_rows(&mut reader, 0..tensor.rows(), &mut rows).unwrap();
        assert_eq!(rows, file[tensor.offset as usize..tensor.end() as usize]);
        let whole = rows.clone();
        for row in 0..tensor.rows() {
            tensor.read_rows(&mut reader, row..row + 1, &mut rows).unwrap();
            assert_eq!(rows, whole[row * tensor.row_bytes()..][..tensor.row_bytes()]);
        }
        tensor.read_rows(&mut reader, 0..0, &mut rows).unwrap();
        assert!(rows.is_empty());
    }
    let matrix = gguf.tensor("matrix").unwrap();
    assert_eq!((matrix.columns(), matrix.rows(), matrix.row_bytes()), (64, 3, 40));
    let error = matrix.read_rows(&mut reader, 2..4, &mut rows).unwrap_err().to_string();
    assert_eq!(error, "the tensor matrix has 3 rows, rows 2 to 4 were asked for");
}

#[test]
fn a_file_cut_anywhere_is_refused() {
    let file = file_of(all_values(), TENSORS);
    let last = read(&file).unwrap().tensors[3].end() as usize; // behind it there is padding
    for end in 0..last {
        let error = read(&file[..end]).unwrap_err().to_string();
        assert!(error.contains("cut short") && error.contains("download it again"), "cut at {end}: {error}");
    }
    assert!(read(&file[..last]).is_ok());
    let error = read(&file[..last - 1]).unwrap_err().to_string();
    assert_eq!(
        error,
        "the GGUF is cut short: the tensor halves needs 42 bytes, 41 are left; download it again"
    );
}

fn refusal(file: &[u8]) -> String {
    read(file).map_or_else(|error| error.to_string(), |_| "nothing".to_owned())
}

/// `file` with `bytes` in it, `after` bytes behind where `name` ends.
fn changed(file: &[u8], name: &str, after: usize, bytes: &[u8]) -> Vec<u8> {
    let mut file = file.to_vec();
    let at = file.windows(name.len()).position(|part| part == name.as_bytes()).unwrap() + name.len() + after;
    file[at..at + bytes.len()].copy_from_slice(bytes);
    file
}

#[test]
fn what_is_no_gguf_is_refused() {
    let file = file_of(all_values(), TENSORS);
    let with = |at: usize, bytes: &[u8]| changed(&file, "GGUF", at, bytes);
    let other = refusal(b"PK\x03\x04 and so on and on and on");
    assert!(other.contains("begins with the bytes [50, 4B, 03, 04]; llama.cpp's convert_hf"), "{other}");
    assert!(
        refusal(&with(0, &[1, 0, 0, 0])).contains("has version 1, only versions 2 and 3 are read; convert")
    );
    assert!(refusal(&with(0, &[0, 0, 0, 0])).contains("has version 0"));
    assert!(refusal(&with(0, &[4, 0, 0, 0])).contains("has version 4"));
    let big_endian = refusal(&with(0, &[0, 0, 0, 3]));
    assert!(big_endian.contains("is big-endian") && big_endian.contains("gguf_convert_endian.py"));
    for count in [1 << 20, 1 << 62, u64::MAX] {
        let tensors = refusal(&with(4, &count.to_le_bytes()));
        assert!(tensors.contains(&format!("its directory of {count} tensors needs")), "{tensors}");
        let keys = refusal(&with(12, &count.to_le_bytes()));
        assert!(keys.contains(&format!("its metadata of {count} keys needs")), "{keys}");
    }
}

#[test]
fn metadata_that_lies_is_refused() {
    let file = file_of(all_values(), TENSORS);
    let error = |name: &str, after, bytes: &[u8]| refusal(&changed(&file, name, after, bytes));
    // Behind a key: the value's type, then the value; of a string its length; of an array its type
    // and its count.
    assert!(
        error("no.text", 4, &u64::MAX.to_le_bytes())
            .contains("the value of no.text needs 18446744073709551615 bytes")
    );
    assert!(error("no.strings", 8, &(1u64 << 61).to_le_bytes()).contains("the value of no.strings needs"));
    assert!(error("u64s", 8, &u64::MAX.to_le_bytes()).contains("the value of u64s needs"));
    assert!(error("no.strings", 4, &9u32.to_le_bytes()).contains("no.strings is an array of arrays"));
    assert!(error("no.text", 0, &13u32.to_le_bytes()).contains("has the type 13, which GGUF does not have"));
    assert!(error("no.strings", 4, &13u32.to_le_bytes()).contains("has the type 13"));
    assert!(error("bools", 16, &[7]).contains("the value of bools is neither true nor false but the byte 7"));
    assert!(error("bool", 0, &[0; 0]).contains("nothing"), "the file itself is good");
    let keys = [("twice", 1u32.into()), ("once", 1u32.into()), ("twice", "again".into())];
    assert!(refusal(&file_of(metadata_of(keys), &[])).contains("has the key twice twice"));
    let escape = refusal(&file_of(metadata_of([("a\x1B[2Jb", 1u32.into())]), &[]));
    assert_eq!(
        escape,
        "the name of key 1 is no text of at most 65535 bytes; the GGUF is damaged, download it again"
    );
    let long = "k".repeat(1 << 16);
    assert!(refusal(&file_of(metadata_of([(&long[..], 1u32.into())]), &[])).contains("the name of key 1"));
    for alignment in [0, 48, u32::MAX] {
        let file = changed(
            &file_of(metadata_of([("general.alignment", 32u32.into())]), &[]),
            "general.alignment",
            4,
            &alignment.to_le_bytes(),
        );
        let wanted = format!("general.alignment is {alignment}, it must be a power of two");
        assert!(refusal(&file).contains(&wanted));
    }
}

/// A file that begins with these bytes and goes on with zeros for a terabyte.
struct Endless(Cursor<Vec<u8>>);

impl io::Read for Endless {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        match self.0.read(out)? {
            0 => {
                out.fill(0);
                Ok(out.len())
            }
            read => Ok(read),
        }
    }
}

impl io::Seek for Endless {
    fn seek(&mut self, to: io::SeekFrom) -> io::Result<u64> {
        match to {
            io::SeekFrom::End(0) => Ok(1 << 40),
            to => self.0.seek(to),
        }
    }
}

#[test]
fn a_header_longer_than_any_models_is_refused_before_it_is_read() {
    let file = file_of(all_values(), TENSORS);
    for (key, after) in [("no.strings", 8), ("u64s", 8), ("no.text", 4)] {
        let file = changed(&file, key, after, &(1u64 << 32).to_le_bytes());
        let error = Gguf::read(&mut Endless(Cursor::new(file))).unwrap_err().to_string();
        let wanted = format!("the GGUF's header goes on beyond 268435456 bytes with the value of {key}, no");
        assert!(error.contains(&wanted), "{error}");
    }
}

#[test]
fn tensors_that_lie_are_refused() {
    let file = file_of(Metadata::default(), TENSORS);
    let error = |name: &str, after, bytes: &[u8]| refusal(&changed(&file, name, after, bytes));
    // Behind a name: the number of dims, the dims, the type, the offset.
    let (dims, vector_type, vector_offset) = (4, 12, 16);
    assert!(error("vector", 0, &0u32.to_le_bytes()).contains("vector has the dims [], it must have 1 to 4"));
    assert!(error("vector", 0, &9u32.to_le_bytes()).contains("the tensor vector has the dims [5, "));
    assert!(error("vector", dims, &0u64.to_le_bytes()).contains("vector has the dims [0]"));
    assert!(
        error("matrix", dims, &63u64.to_le_bytes()).contains(
            "the tensor matrix has rows of 63 numbers, Q4_1 stores 32 at a time; convert it to Q8_0"
        )
    );
    for dim in [1u64 << 40, 1 << 62, u64::MAX] {
        assert!(error("matrix", dims + 8, &dim.to_le_bytes()).contains("the tensor matrix needs"));
    }
    for (number, name) in [(20, "IQ4_NL"), (39, "MXFP4"), (34, "TQ1_0"), (99, "99"), (u32::MAX, "4294967295")]
    {
        let error = error("vector", vector_type, &number.to_le_bytes());
        let wanted = format!("vector has the type {name}, which is not read; convert it to Q8_0");
        assert!(error.contains(&wanted), "{error}");
    }
    assert!(
        error("vector", vector_offset, &16u64.to_le_bytes())
            .contains("vector begins at the offset 16, which is no multiple of the alignment 32")
    );
    assert!(
        error("vector", vector_offset, &(1u64 << 40).to_le_bytes())
            .contains("the tensor vector needs 20 bytes, 0 are left")
    );
    assert!(
        error("vector", vector_offset, &(u64::MAX - 31).to_le_bytes())
            .contains("the tensor vector needs 20 bytes")
    );
    assert!(
        error("vector", vector_offset, &64u64.to_le_bytes())
            .contains("the tensors matrix and vector overlap")
    );
    let twice: Tensors = &[("one", &[1], TensorType::F32), ("one", &[2], TensorType::F32)];
    assert!(refusal(&file_of(Metadata::default(), twice)).contains("has the tensor one twice"));
    let long = "n".repeat(65);
    let long: Tensors = &[(&long[..], &[1], TensorType::F32)];
    assert!(
        refusal(&file_of(Metadata::default(), long))
            .contains("the name of tensor 1 is no text of at most 64 bytes")
    );
}

#[test]
fn a_part_of_a_model_is_refused() {
    let parts = |count: u16| refusal(&file_of(metadata_of([("split.count", Value::U16(count))]), &[]));
    assert!(parts(3).contains("is split into 3 files; join them with llama.cpp's llama-gguf-split --merge"));
    assert_eq!((&parts(0)[..], &parts(1)[..]), ("nothing", "nothing"));
    let name = |name| check_file_name(name).map_or_else(|error| error.to_string(), |()| "nothing".to_owned());
    assert!(name("llama-00002-of-00003.gguf").contains("is split into 3 files"));
    for whole in
        ["llama.gguf", "llama-00001-of-00001.gguf", "best-of-00003.gguf", "a-1-of-3.gguf", "-of-.gguf", ""]
    {
        assert_eq!(name(whole), "nothing", "{whole}");
    }
}

#[test]
fn typed_values_convert_widths_and_name_what_is_wrong() {
    let metadata = metadata_of([
        ("small", Value::U8(7)),
        ("signed", Value::I64(7)),
        ("negative", Value::I32(-7)),
        ("large", Value::U64(1 << 32)),
        ("double", Value::F64(0.5)),
        ("words", Value::from(&[-1, 2][..])),
        ("bytes", numbers(ValueType::U8, &[1, 2])),
        ("floats", Value::from(&[0.5, 1.5][..])),
        ("same", numbers(ValueType::U16, &[9, 0, 9, 0])),
        ("text", "a\tlong text that goes on and on and on and on and on and on and on".into()),
        ("no text", Value::String(vec![0xFF])),
    ]);
    assert_eq!(metadata.u32_of("small").unwrap(), Some(7));
    assert_eq!(metadata.u32_of("signed").unwrap(), Some(7));
    assert_eq!(metadata.u32_of("none").unwrap(), None);
    assert_eq!(metadata.f32_of("double").unwrap(), Some(0.5));
    assert_eq!(metadata.i32s_of("words").unwrap(), Some(vec![-1, 2]));
    assert_eq!(metadata.u32s_of("bytes").unwrap(), Some(vec![1, 2]));
    assert_eq!(metadata.f32s_of("floats").unwrap(), Some(vec![0.5, 1.5]));
    assert_eq!(metadata.uniform_u32_of("same", 2).unwrap(), Some(9));
    assert_eq!(metadata.uniform_u32_of("small", 2).unwrap(), Some(7));

    let u32_error = |key| metadata.u32_of(key).unwrap_err().to_string();
    assert_eq!(
        u32_error("negative"),
        "the GGUF's negative is -7, it must be a whole number below 2^32; convert the model again"
    );
    assert!(u32_error("large").contains("large is 4294967296, it must"));
    assert!(u32_error("double").contains("double is 0.5, it must"));
    assert!(u32_error("bytes").contains("bytes is an array of 2 u8, it must"));
    assert!(u32_error("text").contains(r#"text is "a\tlong text that"#));
    assert!(u32_error("text").contains(r#"on and on "... (66 bytes), it must"#), "{}", u32_error("text"));
    assert!(metadata.str_of("no text").unwrap_err().to_string().contains("must be a text in UTF-8"));
    assert!(metadata.u32s_of("words").is_err());
    assert!(metadata.bool_of("small").unwrap_err().to_string().contains("must be true or false"));
    assert!(metadata.strings_of("text").unwrap_err().to_string().contains("must be an array of strings"));
    let layers = |key, layers| metadata.uniform_u32_of(key, layers).unwrap_err().to_string();
    assert!(
        layers("bytes", 2).contains("bytes is [1, 2], it must be the same number for each of the 2 layers")
    );
    assert!(layers("same", 3).contains("same is [9, 9]"));
}

#[test]
fn the_writer_counts_what_is_written() {
    let mut writer = GgufWriter::new(Metadata::default());
    assert!(writer.add("odd", &[33], TensorType::Q8_0).is_err());
    writer.add("one", &[32], TensorType::Q8_0).unwrap();
    let error = writer.write(&mut Vec::new(), |_, out| out.write_all(&[0; 33])).unwrap_err();
    assert!(error.to_string().contains("the tensor one has 34 bytes, 33 were written"));
}

proptest! {
    /// Whatever is changed in a good file, it is refused or it is good: no panic, and its tensors lie
    /// in it.
    #[test]
    fn a_damaged_file_is_refused_or_good(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        cut in any::<prop::sample::Index>(),
        is_cut: bool,
    ) {
        let mut file = file_of(all_values(), TENSORS);
        let data = read(&file).unwrap().tensors[0].offset as usize;
        for (place, byte) in changes {
            file[place.index(data)] = byte;
        }
        if is_cut {
            file.truncate(cut.index(file.len()));
        }
        if let Ok(gguf) = read(&file) {
            let mut rows = Vec::new();
            for tensor in &gguf.tensors {
                tensor.read_rows(&mut Cursor::new(&file), 0..tensor.rows(), &mut rows).unwrap();
                prop_assert_eq!(rows.len() as u64, tensor.bytes);
            }
        }
    }

    /// Whatever follows the magic number: no panic.
    #[test]
    fn any_bytes_are_refused_or_good(bytes in prop::collection::vec(any::<u8>(), 0..200), version in 2u32..4) {
        let file = [&b"GGUF"[..], &version.to_le_bytes(), &bytes].concat();
        if let Ok(gguf) = read(&file) {
            prop_assert_eq!(gguf.file_bytes, file.len() as u64);
        }
    }

    /// Any metadata and tensors are read as they were written.
    #[test]
    fn any_metadata_and_tensors_come_back(
        texts in prop::collection::vec((any::<String>(), prop::collection::vec(any::<u8>(), 0..20)), 0..5),
        words: Vec<i32>,
        alignment in 0u32..8,
        blocks in prop::collection::vec((0usize..13, 1usize..4, 1usize..4), 0..6),
    ) {
        let mut metadata = metadata_of([
            ("general.alignment", (1 << alignment).into()),
            ("words", Value::from(&words[..])),
            ("texts", texts.iter().map(|(text, _)| text).collect::<Strings>().into()),
        ]);
        for (i, (_, bytes)) in texts.into_iter().enumerate() {
            metadata.push(&format!("key {i}"), Value::String(bytes));
        }
        let tensors: Vec<_> = blocks.into_iter().enumerate().map(|(i, (which, blocks, rows))| {
            let tensor_type = TensorType::ALL[which];
            (format!("blk.{i}"), [blocks * tensor_type.block_elements(), rows], tensor_type)
        }).collect();
        let tensors: Vec<_> = tensors.iter().map(|(name, dims, kind)| (&name[..], &dims[..], *kind)).collect();
        let file = file_of(metadata.clone(), &tensors);
        let gguf = read(&file).unwrap();
        prop_assert_eq!(&gguf.metadata, &metadata);
        let found: Vec<_> = gguf.tensors.iter().map(|t| (&t.name[..], &t.dims[..], t.tensor_type)).collect();
        prop_assert_eq!(found, tensors);
    }
}
