//! Arrays of the metadata, no larger in memory than in the file: a vocabulary has hundreds of thousands
//! of entries.
use super::value::{Value, ValueType};

/// An array. Arrays of arrays are not read.
#[derive(Clone, PartialEq, Debug)]
pub enum Array {
    /// Of numbers or bools.
    Numbers(Numbers),
    /// Of strings.
    Strings(Strings),
}

/// An array of numbers (or bools) as the file has them: no larger in memory than there.
#[derive(Clone, PartialEq, Debug)]
pub struct Numbers {
    value_type: ValueType,
    bytes: Vec<u8>,
}

/// An array of strings, one after the other: no larger in memory than in the file.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Strings {
    bytes: Vec<u8>,
    /// Where each string ends.
    ends: Vec<usize>,
}

impl Numbers {
    /// Numbers from their bytes; `None` where these are no whole numbers (or bools).
    pub fn from_bytes(value_type: ValueType, bytes: Vec<u8>) -> Option<Self> {
        let width = value_type.width()?;
        let bools = value_type != ValueType::Bool || bytes.iter().all(|&byte| byte <= 1);
        (bytes.len().is_multiple_of(width) && bools).then_some(Self { value_type, bytes })
    }

    /// The numbers' type.
    pub const fn value_type(&self) -> ValueType {
        self.value_type
    }

    /// The numbers' bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    fn width(&self) -> usize {
        self.value_type.width().unwrap_or(1) // there is always one: see `from_bytes`
    }

    /// How many numbers there are.
    pub fn len(&self) -> usize {
        self.bytes.len() / self.width()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The numbers in order.
    pub fn iter(&self) -> impl Iterator<Item = Value> {
        self.bytes.chunks_exact(self.width()).filter_map(|bytes| Value::from_bytes(self.value_type, bytes))
    }
}

impl Strings {
    /// Adds a string, whose bytes `append` appends to those that are there.
    pub fn push_with<E>(&mut self, append: impl FnOnce(&mut Vec<u8>) -> Result<(), E>) -> Result<(), E> {
        append(&mut self.bytes)?;
        self.ends.push(self.bytes.len());
        Ok(())
    }

    /// Adds a string.
    pub fn push(&mut self, string: &[u8]) {
        self.bytes.extend_from_slice(string);
        self.ends.push(self.bytes.len());
    }

    /// How many strings there are.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The strings in order.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(start, &end)| &self.bytes[start..end])
    }
}

impl<S: AsRef<[u8]>> FromIterator<S> for Strings {
    fn from_iter<I: IntoIterator<Item = S>>(strings: I) -> Self {
        let mut all = Self::default();
        for string in strings {
            all.push(string.as_ref());
        }
        all
    }
}

impl From<&[f32]> for Numbers {
    fn from(values: &[f32]) -> Self {
        let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        Self { value_type: ValueType::F32, bytes }
    }
}

impl From<&[i32]> for Numbers {
    fn from(values: &[i32]) -> Self {
        let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        Self { value_type: ValueType::I32, bytes }
    }
}
