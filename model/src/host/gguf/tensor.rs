//! A tensor in the directory, and its bytes in the file.
use super::error::GgufError;
use super::types::TensorType;
use std::io::{Read, Seek, SeekFrom};
use std::ops::Range;

/// The most dimensions of a tensor: ggml's GGML_MAX_DIMS.
pub const MOST_DIMS: u32 = 4;

/// A tensor: its name, shape and type, and where it lies in the file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TensorInfo {
    /// Its name, such as `blk.0.attn_q.weight`.
    pub name: String,
    /// Its dims, the fastest first: a matrix is \[columns, rows\]. 1 to 4 of them, none 0.
    pub dims: Vec<usize>,
    /// How its numbers are stored.
    pub tensor_type: TensorType,
    /// Where it begins, in bytes from the file's start.
    pub offset: u64,
    /// Its length in bytes.
    pub bytes: u64,
}

impl TensorInfo {
    /// A tensor at `offset`; checks its shape and calculates its length.
    pub fn new(name: &str, dims: &[u64], tensor_type: TensorType, offset: u64) -> Result<Self, GgufError> {
        check_dims(name, dims)?;
        // A tensor of more numbers than fit 64 bits is longer than every file.
        let numbers = dims.iter().try_fold(1u64, |product, &dim| product.checked_mul(dim));
        let block = tensor_type.block_elements();
        let bytes = numbers.and_then(|n| (n / block as u64).checked_mul(tensor_type.block_bytes() as u64));
        let sizes: Result<Vec<usize>, _> = dims.iter().map(|&dim| usize::try_from(dim)).collect();
        let (Some(bytes), Ok(dims)) = (bytes, sizes) else {
            let what = format!("the tensor {name}");
            return Err(GgufError::CutShort { what, needed: u64::MAX, left: 0 });
        };
        if !dims[0].is_multiple_of(block) {
            let (tensor, tensor_type) = (name.to_owned(), tensor_type.name());
            return Err(GgufError::Row { tensor, columns: dims[0], tensor_type, block });
        }
        Ok(Self { name: name.to_owned(), dims, tensor_type, offset, bytes })
    }

    /// Numbers in a row.
    pub fn columns(&self) -> usize {
        self.dims[0]
    }

    /// Rows: the product of all dims but the first; 1 for a vector.
    pub fn rows(&self) -> usize {
        self.dims[1..].iter().product()
    }

    /// Bytes of a row.
    pub fn row_bytes(&self) -> usize {
        self.columns() / self.tensor_type.block_elements() * self.tensor_type.block_bytes()
    }

    /// Where it ends, in bytes from the file's start.
    pub fn end(&self) -> u64 {
        self.offset.saturating_add(self.bytes)
    }

    /// Reads some rows as the file stores them; `out` then holds them and nothing else.
    pub fn read_rows<R: Read + Seek>(
        &self,
        reader: &mut R,
        rows: Range<usize>,
        out: &mut Vec<u8>,
    ) -> Result<(), GgufError> {
        let Range { start, end } = rows;
        if start > end || end > self.rows() {
            return Err(GgufError::Rows { tensor: self.name.clone(), rows: self.rows(), start, end });
        }
        let row_bytes = self.row_bytes();
        out.resize((end - start) * row_bytes, 0);
        reader.seek(SeekFrom::Start(self.offset + start as u64 * row_bytes as u64))?;
        Ok(reader.read_exact(out)?)
    }
}

/// Checks that there are 1 to [`MOST_DIMS`] dims, none of them 0.
pub fn check_dims(tensor: &str, dims: &[u64]) -> Result<(), GgufError> {
    if (1..=MOST_DIMS as usize).contains(&dims.len()) && !dims.contains(&0) {
        return Ok(());
    }
    Err(GgufError::Dims { tensor: tensor.to_owned(), dims: dims.to_vec(), most: MOST_DIMS })
}
