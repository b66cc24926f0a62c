//! Writer of GGUF files, version 3: metadata and tensors, their bytes as they come.
use super::array::Array;
use super::error::GgufError;
use super::metadata::Metadata;
use super::reader::{ALIGNMENT_KEY, DEFAULT_ALIGNMENT, MAGIC};
use super::tensor::TensorInfo;
use super::types::TensorType;
use super::value::{Value, ValueType};
use std::io::{self, Write};

/// The version that is written.
const VERSION: u32 = 3;

/// A GGUF to be written: first what it holds is said, then it is written front to back.
#[derive(Default)]
pub struct GgufWriter {
    metadata: Metadata,
    /// The tensors, at their offsets from the first one.
    tensors: Vec<TensorInfo>,
    /// Where the next tensor begins, from the first one.
    end: u64,
}

impl GgufWriter {
    /// A GGUF of this metadata and no tensor yet. `general.alignment`, where it is there, must be a
    /// power of two.
    pub fn new(metadata: Metadata) -> Self {
        Self { metadata, ..Self::default() }
    }

    /// Adds a tensor; `dims` has the columns first.
    pub fn add(&mut self, name: &str, dims: &[usize], tensor_type: TensorType) -> Result<(), GgufError> {
        let dims: Vec<u64> = dims.iter().map(|&dim| dim as u64).collect();
        let tensor = TensorInfo::new(name, &dims, tensor_type, self.end)?;
        self.end = tensor.end().next_multiple_of(self.alignment()?);
        self.tensors.push(tensor);
        Ok(())
    }

    /// Writes the header, then each tensor by `data`, which must write as many bytes as the tensor has.
    pub fn write<W: Write>(
        &self,
        out: &mut W,
        mut data: impl FnMut(&TensorInfo, &mut dyn Write) -> io::Result<()>,
    ) -> Result<(), GgufError> {
        let alignment = self.alignment()?;
        let mut header = self.header();
        header.resize(header.len().next_multiple_of(alignment as usize), 0);
        out.write_all(&header)?;
        for tensor in &self.tensors {
            let mut counted = Counted { out: &mut *out, bytes: 0 };
            data(tensor, &mut counted)?;
            if counted.bytes != tensor.bytes {
                let TensorInfo { name, bytes, .. } = tensor;
                let error = format!("the tensor {name} has {bytes} bytes, {} were written", counted.bytes);
                return Err(io::Error::new(io::ErrorKind::InvalidInput, error).into());
            }
            let padding = tensor.end().next_multiple_of(alignment) - tensor.end();
            out.write_all(&vec![0; padding as usize])?;
        }
        Ok(())
    }

    fn alignment(&self) -> Result<u64, GgufError> {
        let alignment = self.metadata.u32_of(ALIGNMENT_KEY)?;
        Ok(u64::from(alignment.unwrap_or(DEFAULT_ALIGNMENT).max(1)))
    }

    fn header(&self) -> Vec<u8> {
        let mut out = MAGIC.to_vec();
        out.extend(VERSION.to_le_bytes());
        out.extend((self.tensors.len() as u64).to_le_bytes());
        out.extend((self.metadata.len() as u64).to_le_bytes());
        for (key, value) in self.metadata.iter() {
            put_string(&mut out, key.as_bytes());
            out.extend((value.value_type() as u32).to_le_bytes());
            put_value(&mut out, value);
        }
        for tensor in &self.tensors {
            put_string(&mut out, tensor.name.as_bytes());
            out.extend((tensor.dims.len() as u32).to_le_bytes());
            out.extend(tensor.dims.iter().flat_map(|&dim| (dim as u64).to_le_bytes()));
            out.extend(tensor.tensor_type.number().to_le_bytes());
            out.extend(tensor.offset.to_le_bytes());
        }
        out
    }
}

fn put_string(out: &mut Vec<u8>, string: &[u8]) {
    out.extend((string.len() as u64).to_le_bytes());
    out.extend(string);
}

fn put_value(out: &mut Vec<u8>, value: &Value) {
    match value {
        Value::U8(value) => out.extend(value.to_le_bytes()),
        Value::I8(value) => out.extend(value.to_le_bytes()),
        Value::U16(value) => out.extend(value.to_le_bytes()),
        Value::I16(value) => out.extend(value.to_le_bytes()),
        Value::U32(value) => out.extend(value.to_le_bytes()),
        Value::I32(value) => out.extend(value.to_le_bytes()),
        Value::F32(value) => out.extend(value.to_le_bytes()),
        Value::U64(value) => out.extend(value.to_le_bytes()),
        Value::I64(value) => out.extend(value.to_le_bytes()),
        Value::F64(value) => out.extend(value.to_le_bytes()),
        Value::Bool(value) => out.push((*value).into()),
        Value::String(string) => put_string(out, string),
        Value::Array(Array::Numbers(numbers)) => {
            out.extend((numbers.value_type() as u32).to_le_bytes());
            out.extend((numbers.len() as u64).to_le_bytes());
            out.extend(numbers.bytes());
        }
        Value::Array(Array::Strings(strings)) => {
            out.extend((ValueType::String as u32).to_le_bytes());
            out.extend((strings.len() as u64).to_le_bytes());
            strings.iter().for_each(|string| put_string(out, string));
        }
    }
}

/// Counts what is written.
struct Counted<'w> {
    out: &'w mut dyn Write,
    bytes: u64,
}

impl Write for Counted<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
