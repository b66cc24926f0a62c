//! The container: header, metadata, and the directory of tensors.
use super::array::{Array, Numbers, Strings};
use super::bytes::HeaderBytes;
use super::error::GgufError;
use super::metadata::{Metadata, value_error};
use super::tensor::{MOST_DIMS, TensorInfo, check_dims};
use super::types::TensorType;
use super::value::{Value, ValueType};
use std::io::{Read, Seek, SeekFrom};

/// What every GGUF begins with.
pub const MAGIC: [u8; 4] = *b"GGUF";
/// The versions that are read; they have the same layout.
const VERSIONS: std::ops::RangeInclusive<u32> = 2..=3;
/// The alignment of tensors where the metadata does not name one.
pub const DEFAULT_ALIGNMENT: u32 = 32;
/// The key that names the alignment.
pub const ALIGNMENT_KEY: &str = "general.alignment";
/// The key that says of how many files this is one.
const SPLIT_KEY: &str = "split.count";
/// Bytes of the longest key, by GGUF's definition.
const LONGEST_KEY: u64 = (1 << 16) - 1;
/// Bytes of the longest name of a tensor: ggml's GGML_MAX_NAME.
const LONGEST_NAME: u64 = 64;
/// Bytes of the shortest key and value: an empty key, a type, and one byte.
const LEAST_KEY_BYTES: u64 = 8 + 4 + 1;
/// Bytes of the shortest entry of the directory: an empty name, one dim, type and offset.
const LEAST_TENSOR_BYTES: u64 = 8 + 4 + 8 + 4 + 8;

/// A GGUF's header as the file has it, also where the tensors cannot be read.
#[derive(Clone, PartialEq, Debug)]
pub struct Listing {
    /// The version of the format, 2 or 3.
    pub version: u32,
    /// Keys and values.
    pub metadata: Metadata,
    /// The directory, in its order.
    pub tensors: Vec<Listed>,
    /// Length of metadata and directory.
    pub header_bytes: u64,
    /// Length of the file.
    pub file_bytes: u64,
}

/// A line of the directory.
#[derive(Clone, PartialEq, Debug)]
pub struct Listed {
    /// The tensor's name.
    pub name: String,
    /// Its dims, the fastest first.
    pub dims: Vec<u64>,
    /// ggml's number of its type, which need not be one that is read.
    pub type_number: u32,
    /// Where it begins, in bytes from the first tensor.
    pub offset: u64,
}

impl Listed {
    /// The type's name, or its number.
    pub fn type_name(&self) -> String {
        TensorType::name_of(self.type_number).map_or_else(|| self.type_number.to_string(), str::to_owned)
    }
}

impl Listing {
    /// Reads a GGUF's header.
    pub fn read<R: Read + Seek>(reader: &mut R) -> Result<Self, GgufError> {
        let file_bytes = reader.seek(SeekFrom::End(0))?;
        reader.seek(SeekFrom::Start(0))?;
        let mut header = HeaderBytes::new(reader, file_bytes);
        let version = read_version(&mut header)?;
        let tensor_count = header.u64()?;
        let key_count = header.u64()?;
        let metadata = read_metadata(&mut header, key_count)?;
        let tensors = read_directory(&mut header, tensor_count)?;
        Ok(Self { version, metadata, tensors, header_bytes: header.position(), file_bytes })
    }
}

/// An open GGUF: everything but the tensors' bytes.
#[derive(Clone, PartialEq, Debug)]
pub struct Gguf {
    /// The version of the format, 2 or 3.
    pub version: u32,
    /// What the tensors' offsets are multiples of; a power of two.
    pub alignment: u64,
    /// Keys and values.
    pub metadata: Metadata,
    /// The tensors, in the directory's order. They lie in the file and do not overlap.
    pub tensors: Vec<TensorInfo>,
    /// Length of the file.
    pub file_bytes: u64,
}

impl Gguf {
    /// Reads and checks a GGUF's header.
    pub fn read<R: Read + Seek>(reader: &mut R) -> Result<Self, GgufError> {
        Self::of(Listing::read(reader)?)
    }

    /// Checks what a header says.
    pub fn of(listing: Listing) -> Result<Self, GgufError> {
        let Listing { version, metadata, tensors, header_bytes, file_bytes } = listing;
        check_parts(metadata.u32_of(SPLIT_KEY)?)?;
        let alignment = alignment_of(&metadata)?;
        let mut tensors = tensors.iter().map(typed).collect::<Result<Vec<_>, _>>()?;
        place(&mut tensors, header_bytes, alignment, file_bytes)?;
        Ok(Self { version, alignment, metadata, tensors, file_bytes })
    }

    /// The tensor of a name.
    pub fn tensor(&self, name: &str) -> Option<&TensorInfo> {
        self.tensors.iter().find(|tensor| tensor.name == name)
    }
}

/// Checks that a file's name is not that of one of several, `...-00001-of-00003.gguf`: the first of
/// them need not say so inside.
pub fn check_file_name(name: &str) -> Result<(), GgufError> {
    check_parts(parts_of(name))
}

/// Refuses one file of several.
fn check_parts(parts: Option<u32>) -> Result<(), GgufError> {
    match parts {
        Some(parts @ 2..) => Err(GgufError::Split { parts }),
        _ => Ok(()),
    }
}

/// Of how many files this is one, by its name: llama.cpp writes `%s-%05d-of-%05d.gguf`.
fn parts_of(name: &str) -> Option<u32> {
    let digits = |text: &str| text.len() == 5 && text.bytes().all(|byte| byte.is_ascii_digit());
    let (rest, parts) = name.strip_suffix(".gguf")?.rsplit_once("-of-")?;
    let (_, part) = rest.rsplit_once('-')?;
    if digits(part) && digits(parts) { parts.parse().ok() } else { None }
}

fn read_version<R: Read>(header: &mut HeaderBytes<R>) -> Result<u32, GgufError> {
    header.what = "its header".to_owned();
    let magic = header.array()?;
    if magic != MAGIC {
        return Err(GgufError::Magic(magic));
    }
    match header.u32()? {
        version if VERSIONS.contains(&version) => Ok(version),
        // Versions are small, so the other half of the number must be the small one.
        version if version != 0 && version & 0xFFFF == 0 => Err(GgufError::BigEndian),
        version => Err(GgufError::Version(version)),
    }
}

fn read_metadata<R: Read>(header: &mut HeaderBytes<R>, count: u64) -> Result<Metadata, GgufError> {
    header.what = format!("its metadata of {count} keys");
    let count = header.room_for(count, LEAST_KEY_BYTES)?;
    let mut metadata = Metadata::default();
    for i in 0..count {
        header.what = format!("the name of key {}", i + 1);
        let key = header.name(LONGEST_KEY)?;
        header.what = format!("the value of {key}");
        let value = read_value(header)?;
        metadata.push(&key, value);
    }
    match first_duplicate(metadata.iter().map(|(key, _)| key)) {
        Some(key) => Err(GgufError::Duplicate(format!("the key {key}"))),
        None => Ok(metadata),
    }
}

fn read_value<R: Read>(header: &mut HeaderBytes<R>) -> Result<Value, GgufError> {
    let value_type = read_value_type(header)?;
    match value_type {
        ValueType::String => header.string().map(Value::String),
        ValueType::Array => read_array(header).map(Value::Array),
        _ => {
            let (bytes, largest) = read_numbers(header, value_type, 1)?;
            Value::from_bytes(value_type, &bytes).ok_or_else(|| bool_error(header, largest))
        }
    }
}

fn read_array<R: Read>(header: &mut HeaderBytes<R>) -> Result<Array, GgufError> {
    let value_type = read_value_type(header)?;
    let count = header.u64()?;
    match value_type {
        ValueType::Array => Err(GgufError::NestedArray { what: header.what.clone() }),
        ValueType::String => {
            let count = header.room_for(count, size_of::<u64>() as u64)?;
            let mut strings = Strings::default();
            for _ in 0..count {
                let length = header.u64()?;
                strings.push_with(|bytes| header.append(length, 1, bytes))?;
            }
            Ok(Array::Strings(strings))
        }
        _ => {
            let (bytes, largest) = read_numbers(header, value_type, count)?;
            let numbers = Numbers::from_bytes(value_type, bytes);
            numbers.map(Array::Numbers).ok_or_else(|| bool_error(header, largest))
        }
    }
}

fn read_value_type<R: Read>(header: &mut HeaderBytes<R>) -> Result<ValueType, GgufError> {
    let found = header.u32()?;
    ValueType::from_number(found).ok_or_else(|| GgufError::ValueType { what: header.what.clone(), found })
}

/// The bytes of `count` numbers (or bools), and the largest of them.
fn read_numbers<R: Read>(
    header: &mut HeaderBytes<R>,
    value_type: ValueType,
    count: u64,
) -> Result<(Vec<u8>, u8), GgufError> {
    let mut bytes = Vec::new();
    header.append(count, value_type.width().unwrap_or(1), &mut bytes)?;
    let largest = bytes.iter().copied().max().unwrap_or_default();
    Ok((bytes, largest))
}

/// Of the numbers, whose bytes are all there, only bools can be wrong: by a byte above 1.
fn bool_error<R: Read>(header: &HeaderBytes<R>, found: u8) -> GgufError {
    GgufError::Bool { what: header.what.clone(), found }
}

fn alignment_of(metadata: &Metadata) -> Result<u64, GgufError> {
    let alignment = metadata.u32_of(ALIGNMENT_KEY)?.unwrap_or(DEFAULT_ALIGNMENT);
    if alignment.is_power_of_two() {
        return Ok(alignment.into());
    }
    Err(value_error(ALIGNMENT_KEY, &Value::U32(alignment), "a power of two"))
}

fn read_directory<R: Read>(header: &mut HeaderBytes<R>, count: u64) -> Result<Vec<Listed>, GgufError> {
    header.what = format!("its directory of {count} tensors");
    let count = header.room_for(count, LEAST_TENSOR_BYTES)?;
    let mut tensors = Vec::new();
    for i in 0..count {
        header.what = format!("the name of tensor {}", i + 1);
        let name = header.name(LONGEST_NAME)?;
        header.what = format!("the directory's entry of {name}");
        let dim_count = header.u32()?;
        // One dim too many is enough to refuse the tensor.
        let dims: Result<Vec<u64>, _> = (0..dim_count.min(MOST_DIMS + 1)).map(|_| header.u64()).collect();
        let dims = dims?;
        check_dims(&name, &dims)?; // where there are too few or too many, what follows is something else
        tensors.push(Listed { name, dims, type_number: header.u32()?, offset: header.u64()? });
    }
    match first_duplicate(tensors.iter().map(|tensor| &tensor.name[..])) {
        Some(name) => Err(GgufError::Duplicate(format!("the tensor {name}"))),
        None => Ok(tensors),
    }
}

/// A tensor of a type that is read; its offset is still that from the first tensor.
fn typed(listed: &Listed) -> Result<TensorInfo, GgufError> {
    let Listed { name, dims, type_number, offset } = listed;
    let tensor_type = TensorType::from_number(*type_number)
        .ok_or_else(|| GgufError::TensorType { tensor: name.clone(), found: listed.type_name() })?;
    TensorInfo::new(name, dims, tensor_type, *offset)
}

/// Turns offsets from the first tensor into offsets from the file's start, and checks them.
fn place(
    tensors: &mut [TensorInfo],
    header_bytes: u64,
    alignment: u64,
    file_bytes: u64,
) -> Result<(), GgufError> {
    let data = header_bytes.next_multiple_of(alignment); // both are below 2^32 or so
    for tensor in &mut *tensors {
        let offset = tensor.offset;
        if !offset.is_multiple_of(alignment) {
            return Err(GgufError::Unaligned { tensor: tensor.name.clone(), offset, alignment });
        }
        tensor.offset = data.saturating_add(offset);
        if tensor.end() > file_bytes {
            let left = file_bytes.saturating_sub(tensor.offset);
            let what = format!("the tensor {}", tensor.name);
            return Err(GgufError::CutShort { what, needed: tensor.bytes, left });
        }
    }
    let mut by_place: Vec<&TensorInfo> = tensors.iter().collect();
    by_place.sort_by_key(|tensor| tensor.offset);
    match by_place.windows(2).find(|pair| pair[0].end() > pair[1].offset) {
        None => Ok(()),
        Some(pair) => Err(GgufError::Overlap { first: pair[0].name.clone(), second: pair[1].name.clone() }),
    }
}

/// The first name that is there a second time.
fn first_duplicate<'n>(names: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    let mut names: Vec<&str> = names.collect();
    names.sort_unstable();
    names.windows(2).find(|pair| pair[0] == pair[1]).map(|pair| pair[0])
}
