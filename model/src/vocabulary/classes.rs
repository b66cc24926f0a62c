//! Classes of characters, by a table of ranges that the host makes from Unicode's general categories.

/// What pre-tokenizers tell apart.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Class {
    /// Everything else: symbols, marks, what Unicode has not given out.
    Other = 0,
    /// `\p{L}`.
    Letter = 1,
    /// `\p{N}`.
    Number = 2,
    /// `\s`: Unicode's property White_Space.
    WhiteSpace = 3,
    /// `\p{P}`, for the pre-tokenizers that ask for it.
    Punctuation = 4,
}

impl Class {
    const ALL: [Self; 5] = [Self::Other, Self::Letter, Self::Number, Self::WhiteSpace, Self::Punctuation];
    /// Bits of a class in the table.
    pub const BITS: u32 = 8;

    fn from_number(number: u32) -> Option<Self> {
        Self::ALL.get(number as usize).copied()
    }
}

/// The table: ranges of characters, each by its first character and its class. The first begins at
/// 0. A tokenizer that asks for no class has no range.
#[derive(Clone, Copy)]
pub(super) struct Classes<'v>(pub &'v [u32]);

impl Classes<'_> {
    /// The class of a character.
    pub fn of(&self, character: char) -> Class {
        let behind = self.0.partition_point(|range| range >> Class::BITS <= u32::from(character));
        let range = behind.checked_sub(1).map_or(0, |range| self.0[range]);
        Class::from_number(range & ((1 << Class::BITS) - 1)).unwrap_or(Class::Other)
    }

    /// Whether the ranges are in order and their classes known.
    pub fn are_good(&self) -> bool {
        let known = |range: &u32| Class::from_number(range & ((1 << Class::BITS) - 1)).is_some();
        self.0.is_sorted_by(|a, b| a >> Class::BITS < b >> Class::BITS) && self.0.iter().all(known)
    }
}
