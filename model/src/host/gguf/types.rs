//! The number formats of tensors.

/// How a tensor's numbers are stored: ggml's types that are read here.
///
/// Source: ggml's `enum ggml_type` (include/ggml.h) and its blocks (src/ggml-common.h).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
#[allow(missing_docs)] // ggml's names say it all
pub enum TensorType {
    F32,
    F16,
    Bf16,
    Q4_0,
    Q4_1,
    Q5_0,
    Q5_1,
    Q8_0,
    Q2K,
    Q3K,
    Q4K,
    Q5K,
    Q6K,
}

impl TensorType {
    /// All types that are read.
    pub const ALL: [Self; 13] = [
        Self::F32,
        Self::F16,
        Self::Bf16,
        Self::Q4_0,
        Self::Q4_1,
        Self::Q5_0,
        Self::Q5_1,
        Self::Q8_0,
        Self::Q2K,
        Self::Q3K,
        Self::Q4K,
        Self::Q5K,
        Self::Q6K,
    ];

    /// ggml's number and name, and the elements and bytes of a block.
    const fn facts(self) -> (u32, &'static str, usize, usize) {
        match self {
            Self::F32 => (0, "F32", 1, 4),
            Self::F16 => (1, "F16", 1, 2),
            Self::Bf16 => (30, "BF16", 1, 2),
            Self::Q4_0 => (2, "Q4_0", 32, 18),
            Self::Q4_1 => (3, "Q4_1", 32, 20),
            Self::Q5_0 => (6, "Q5_0", 32, 22),
            Self::Q5_1 => (7, "Q5_1", 32, 24),
            Self::Q8_0 => (8, "Q8_0", 32, 34),
            Self::Q2K => (10, "Q2_K", 256, 84),
            Self::Q3K => (11, "Q3_K", 256, 110),
            Self::Q4K => (12, "Q4_K", 256, 144),
            Self::Q5K => (13, "Q5_K", 256, 176),
            Self::Q6K => (14, "Q6_K", 256, 210),
        }
    }

    /// ggml's number of the type.
    pub const fn number(self) -> u32 {
        self.facts().0
    }

    /// The type of a number, where it is read.
    pub fn from_number(number: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|tensor_type| tensor_type.number() == number)
    }

    /// ggml's name.
    pub const fn name(self) -> &'static str {
        self.facts().1
    }

    /// Numbers in a block: 1, 32 or 256. A row is a whole number of blocks.
    pub const fn block_elements(self) -> usize {
        self.facts().2
    }

    /// Bytes of a block.
    pub const fn block_bytes(self) -> usize {
        self.facts().3
    }

    /// The least code and the greatest; of numbers those of a byte.
    pub const fn code_range(self) -> std::ops::RangeInclusive<i8> {
        match self {
            Self::F32 | Self::F16 | Self::Bf16 | Self::Q8_0 => i8::MIN..=i8::MAX,
            Self::Q4_0 => -8..=7,
            Self::Q4_1 | Self::Q4K => 0..=15,
            Self::Q5_0 => -16..=15,
            Self::Q5_1 | Self::Q5K => 0..=31,
            Self::Q2K => 0..=3,
            Self::Q3K => -4..=3,
            Self::Q6K => -32..=31,
        }
    }

    /// The name of a number's type, also of those that are not read: a refusal names them.
    pub fn name_of(number: u32) -> Option<&'static str> {
        Some(match number {
            4 => "Q4_2",
            5 => "Q4_3",
            9 => "Q8_1",
            15 => "Q8_K",
            16 => "IQ2_XXS",
            17 => "IQ2_XS",
            18 => "IQ3_XXS",
            19 => "IQ1_S",
            20 => "IQ4_NL",
            21 => "IQ3_S",
            22 => "IQ2_S",
            23 => "IQ4_XS",
            24 => "I8",
            25 => "I16",
            26 => "I32",
            27 => "I64",
            28 => "F64",
            29 => "IQ1_M",
            31 => "Q4_0_4_4",
            32 => "Q4_0_4_8",
            33 => "Q4_0_8_8",
            34 => "TQ1_0",
            35 => "TQ2_0",
            36 => "IQ4_NL_4_4",
            37 => "IQ4_NL_4_8",
            38 => "IQ4_NL_8_8",
            39 => "MXFP4",
            40 => "NVFP4",
            41 => "Q1_0",
            42 => "Q2_0",
            _ => return Self::from_number(number).map(Self::name),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_has_one_name() {
        for tensor_type in TensorType::ALL {
            assert_eq!(TensorType::from_number(tensor_type.number()), Some(tensor_type));
            assert_eq!(TensorType::name_of(tensor_type.number()), Some(tensor_type.name()));
        }
        let names: Vec<_> = (0..=42).map(|number| TensorType::name_of(number).unwrap()).collect();
        let mut distinct = names.clone();
        distinct.sort_unstable();
        distinct.dedup();
        assert_eq!(distinct.len(), names.len());
        assert_eq!(TensorType::name_of(43), None);
        assert_eq!(TensorType::from_number(20), None, "IQ4_NL is not read");
    }
}
