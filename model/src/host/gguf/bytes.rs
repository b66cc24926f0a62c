//! The header's bytes, in order.
use super::error::GgufError;
use std::io::{BufReader, Read};

/// The longest header that is read: Gemma's vocabulary of 262,144 tokens takes about 10 MB.
const HEADER_LIMIT: u64 = 256 << 20;

/// Reads a header's fields and knows how many bytes the file still has.
pub struct HeaderBytes<R> {
    reader: BufReader<R>,
    /// Bytes read so far.
    at: u64,
    /// Bytes of the file.
    end: u64,
    /// What is being read, for errors: "the value of general.name".
    pub what: String,
}

impl<R: Read> HeaderBytes<R> {
    /// Reads from a file's start; it has `end` bytes.
    pub fn new(reader: R, end: u64) -> Self {
        Self { reader: BufReader::new(reader), at: 0, end, what: String::new() }
    }

    /// Bytes read so far.
    pub fn position(&self) -> u64 {
        self.at
    }

    /// Checks that `count` pieces of at least `bytes` bytes each can follow, and returns the count.
    pub fn room_for(&self, count: u64, bytes: u64) -> Result<usize, GgufError> {
        let needed = count.saturating_mul(bytes);
        let left = self.end - self.at;
        if needed > left {
            return Err(GgufError::CutShort { what: self.what.clone(), needed, left });
        }
        match usize::try_from(count) {
            Ok(count) if self.at + needed <= HEADER_LIMIT => Ok(count),
            _ => Err(GgufError::HeaderTooLong { what: self.what.clone(), limit: HEADER_LIMIT }),
        }
    }

    /// The next `N` bytes.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], GgufError> {
        self.room_for(1, N as u64)?;
        let mut bytes = [0; N];
        self.reader.read_exact(&mut bytes)?;
        self.at += N as u64;
        Ok(bytes)
    }

    /// The next four bytes as a number.
    pub fn u32(&mut self) -> Result<u32, GgufError> {
        self.array().map(u32::from_le_bytes)
    }

    /// The next eight bytes as a number.
    pub fn u64(&mut self) -> Result<u64, GgufError> {
        self.array().map(u64::from_le_bytes)
    }

    /// Appends the next `count` pieces of `width` bytes to `out`.
    pub fn append(&mut self, count: u64, width: usize, out: &mut Vec<u8>) -> Result<(), GgufError> {
        let bytes = self.room_for(count, width as u64)? * width;
        let start = out.len();
        out.resize(start + bytes, 0);
        self.reader.read_exact(&mut out[start..])?;
        self.at += bytes as u64;
        Ok(())
    }

    /// The next string.
    pub fn string(&mut self) -> Result<Vec<u8>, GgufError> {
        let (length, mut string) = (self.u64()?, Vec::new());
        self.append(length, 1, &mut string)?;
        Ok(string)
    }

    /// The next string, which names something: UTF-8 without control characters.
    pub fn name(&mut self, limit: u64) -> Result<String, GgufError> {
        let error = |what: &String| GgufError::Name { what: what.clone(), limit };
        let (length, mut name) = (self.u64()?, Vec::new());
        if length > limit {
            return Err(error(&self.what));
        }
        self.append(length, 1, &mut name)?;
        let name = String::from_utf8(name).ok().filter(|name| !name.contains(char::is_control));
        name.ok_or_else(|| error(&self.what))
    }
}
