//! The metadata: keys and values in the file's order, and values by key with their types checked.
//!
//! Each typed reading gives `None` where the key is not there, and an error where its value is of
//! another type or out of range. Whole numbers of any width are taken where they fit, as writers
//! differ in the width that they choose.
use super::array::{Array, Strings};
use super::error::GgufError;
use super::value::Value;

/// A GGUF's keys and values, in the file's order.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Metadata {
    entries: Vec<(String, Value)>,
}

impl Metadata {
    /// Adds a key.
    pub fn push(&mut self, key: &str, value: impl Into<Value>) {
        self.entries.push((key.to_owned(), value.into()));
    }

    /// How many keys there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Keys and values in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.entries.iter().map(|(key, value)| (&key[..], value))
    }

    /// A key's value.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.iter().find(|(other, _)| *other == key).map(|(_, value)| value)
    }

    /// A key's value, read by `read`; where that gives nothing, the value is not what is `wanted`.
    fn read<'m, T>(
        &'m self,
        key: &str,
        wanted: &str,
        read: impl FnOnce(&'m Value) -> Option<T>,
    ) -> Result<Option<T>, GgufError> {
        let Some(value) = self.get(key) else { return Ok(None) };
        read(value).map(Some).ok_or_else(|| value_error(key, value, wanted))
    }

    /// A whole number from 0 to 2³² - 1.
    pub fn u32_of(&self, key: &str) -> Result<Option<u32>, GgufError> {
        self.read(key, "a whole number below 2^32", |value| value.as_integer()?.try_into().ok())
    }

    /// A float, finite or not; one of 64 bits is rounded to 32.
    pub fn f32_of(&self, key: &str) -> Result<Option<f32>, GgufError> {
        self.read(key, "a float", Value::as_float)
    }

    /// A bool.
    pub fn bool_of(&self, key: &str) -> Result<Option<bool>, GgufError> {
        self.read(key, "true or false", |value| match value {
            Value::Bool(value) => Some(*value),
            _ => None,
        })
    }

    /// A text.
    pub fn str_of(&self, key: &str) -> Result<Option<&str>, GgufError> {
        self.read(key, "a text in UTF-8", |value| match value {
            Value::String(bytes) => str::from_utf8(bytes).ok(),
            _ => None,
        })
    }

    /// An array of strings.
    pub fn strings_of(&self, key: &str) -> Result<Option<&Strings>, GgufError> {
        self.read(key, "an array of strings", |value| match value {
            Value::Array(Array::Strings(strings)) => Some(strings),
            _ => None,
        })
    }

    /// An array of floats.
    pub fn f32s_of(&self, key: &str) -> Result<Option<Vec<f32>>, GgufError> {
        self.numbers_of(key, "an array of floats", Value::as_float)
    }

    /// An array of whole numbers from -2³¹ to 2³¹ - 1.
    pub fn i32s_of(&self, key: &str) -> Result<Option<Vec<i32>>, GgufError> {
        self.numbers_of(key, "an array of whole numbers", |number| number.as_integer()?.try_into().ok())
    }

    /// An array of whole numbers from 0 to 2³² - 1.
    pub fn u32s_of(&self, key: &str) -> Result<Option<Vec<u32>>, GgufError> {
        self.numbers_of(key, "an array of whole numbers below 2^32", |number| {
            number.as_integer()?.try_into().ok()
        })
    }

    /// A whole number from 0 to 2³² - 1, or one for each layer that are all the same.
    pub fn uniform_u32_of(&self, key: &str, layers: usize) -> Result<Option<u32>, GgufError> {
        let Some(Value::Array(_)) = self.get(key) else { return self.u32_of(key) };
        let numbers = self.u32s_of(key)?.unwrap_or_default();
        match numbers.first() {
            Some(&first) if numbers.len() == layers && numbers.iter().all(|&number| number == first) => {
                Ok(Some(first))
            }
            _ => {
                let wanted = format!("the same number for each of the {layers} layers");
                // What differs is worth more than "an array of 32 u32".
                Err(GgufError::Value { key: key.to_owned(), found: listed(&numbers), wanted })
            }
        }
    }

    fn numbers_of<T>(
        &self,
        key: &str,
        wanted: &str,
        read: impl Fn(&Value) -> Option<T>,
    ) -> Result<Option<Vec<T>>, GgufError> {
        self.read(key, wanted, |value| match value {
            Value::Array(Array::Numbers(numbers)) => numbers.iter().map(|number| read(&number)).collect(),
            _ => None,
        })
    }
}

/// The value of a key that must be there.
pub fn needed<T>(key: &str, value: Option<T>) -> Result<T, GgufError> {
    value.ok_or_else(|| GgufError::Missing(key.to_owned()))
}

/// A key's value is not what it must be.
pub fn value_error(key: &str, value: &Value, wanted: &str) -> GgufError {
    GgufError::Value { key: key.to_owned(), found: value.to_string(), wanted: wanted.to_owned() }
}

/// Numbers of layers for an error: the first few.
fn listed(numbers: &[u32]) -> String {
    const SHOWN: usize = 8;
    let (some, more) = (&numbers[..numbers.len().min(SHOWN)], numbers.len() > SHOWN);
    format!("{some:?}{}", if more { " and so on" } else { "" })
}
