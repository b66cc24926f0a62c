//! How the weights of a matrix are written as integers of few bits.
//!
//! | coding | a weight | bytes a weight | for |
//! | --- | --- | --- | --- |
//! | [`Coding::Rows`] | `scale · (byte - 128)` | 1 | fp32 checkpoints |
//! | [`Coding::Groups`], 8 bits | `scale · d · (byte - 128)` | 1 + 1/16 | Q8_0, Q5_0; in groups of 16 Q6_K, and F32, F16, BF16 rounded |
//! | the same with offsets | `scale · (d · (byte - 128) + 2^(k-1) · o)` | 1 + 3/32 | Q5_1, Q5_K |
//! | the same, 4 bits | `scale · (d · (code - 15/2) + 2^(k-1) · o)` | 1/2 + 3/32 | Q4_0, Q4_1, Q4_K, Q3_K, Q2_K |
//!
//! The scale belongs to a row; the *factors* d and o, integers, to a group of 32 columns of a row, or of 16. So
//! the codes of a GGUF are kept as they are, and what it has as floats is rounded: d to 11 bits or 9, o to 12.
//! 4-bit codes are about their middle: the least code's weight is about `-15/2 d`, and its rounding would hit
//! all weights of a group alike.
//!
//! The product of a group, and what keeps it in 32 bits: [`crate::matmul`].
use super::factors::{D_BYTES, D_O_BYTES, GROUP_ROWS};
use super::{TILE_BYTES, TILE_COLS, TILE_ROWS};

/// The largest magnitude of x, what a matrix in groups is multiplied by.
pub const GROUPED_ACTIVATION: i32 = (1 << 14) - 1;
/// Bits of the factor o, with its sign.
pub const O_BITS: u32 = 12;

/// A group's sum loses so many bits before it is multiplied,
pub const SUM_SHIFT: u32 = 3;
/// and so many more where there are no offsets.
pub const MORE_WITHOUT_OFFSETS: u32 = 3;
/// A group's product loses so many bits before it is added to others.
pub const PRODUCT_SHIFT: u32 = 6;
/// So many groups can be added: 2^6 numbers below 2^(31 - 6).
pub const GROUPS: usize = 1 << PRODUCT_SHIFT;

/// Bits of a code.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Bits {
    /// 0 to 15.
    Four = 4,
    /// -128 to 127 as a byte, 128 too large.
    Eight = 8,
}

/// Weights in groups of columns.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Grouped {
    /// Bits of a code.
    pub bits: Bits,
    /// Columns of a group: [`Grouped::COLUMNS`].
    pub columns: usize,
    /// Whether groups have the factor o.
    pub offsets: bool,
}

/// How weights are written as integers.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Coding {
    /// Bytes with a scale for each row.
    #[default]
    Rows,
    /// Codes with a scale for each row and factors for each group of columns.
    Groups(Grouped),
}

impl Grouped {
    /// How many columns a group can have.
    pub const COLUMNS: [usize; 2] = [16, Self::MOST_COLUMNS];
    /// The most of them.
    pub const MOST_COLUMNS: usize = 32;

    /// Four bits with offsets.
    pub const fn four(columns: usize) -> Self {
        Self { bits: Bits::Four, columns, offsets: true }
    }

    /// Eight bits without offsets.
    pub const fn eight(columns: usize) -> Self {
        Self { bits: Bits::Eight, columns, offsets: false }
    }

    /// Eight bits with offsets; codes from -32 to 32.
    pub const fn eight_with_offsets(columns: usize) -> Self {
        Self { bits: Bits::Eight, columns, offsets: true }
    }

    /// k: a group's sum of products loses so many bits before it is multiplied by d.
    pub const fn shift(self) -> u32 {
        if self.offsets { SUM_SHIFT } else { SUM_SHIFT + MORE_WITHOUT_OFFSETS }
    }

    /// The largest d.
    pub const fn d_max(self) -> u32 {
        match (self.bits, self.offsets) {
            (Bits::Eight, true) => (1 << 9) - 1,
            _ => (1 << 11) - 1,
        }
    }

    /// The largest magnitude of a code about its middle, in halves.
    pub const fn code_max(self) -> i32 {
        match (self.bits, self.offsets) {
            (Bits::Four, _) => 15,
            (Bits::Eight, true) => 64,
            (Bits::Eight, false) => 256,
        }
    }

    /// Twice a code about its middle.
    pub const fn doubled(self, code: u8) -> i32 {
        match self.bits {
            Bits::Four => 2 * code as i32 - 15,
            Bits::Eight => 2 * code as i32 - 256,
        }
    }

    /// Bytes of the codes of 8 rows of a group.
    pub const fn code_bytes(self) -> usize {
        GROUP_ROWS * self.columns * self.bits as usize / 8
    }

    /// Bytes of 8 rows of a group: first the codes, then the factors.
    pub const fn bytes(self) -> usize {
        self.code_bytes() + if self.offsets { D_O_BYTES } else { D_BYTES }
    }

    /// Columns whose codes are 32 bits of a row.
    pub const fn word_columns(self) -> usize {
        u32::BITS as usize / self.bits as usize
    }

    /// The lowest code of a word.
    pub const fn mask(self) -> u32 {
        (1 << self.bits as u32) - 1
    }

    /// Groups that hold so many columns.
    pub const fn groups(self, cols: usize) -> usize {
        cols.div_ceil(self.columns)
    }
}

// A group's product is below 2^31: `(Σ code · x / 2^k) · d + o · (Σ x) / 2`.
const _: () = {
    let all = [Grouped::four(32), Grouped::eight(32), Grouped::eight_with_offsets(32)];
    let mut i = 0;
    while i < all.len() {
        let grouped = all[i];
        let x = 32 * GROUPED_ACTIVATION as i64;
        let sum = (grouped.code_max() as i64 * x / 2 + (1 << (grouped.shift() - 1))) >> grouped.shift();
        let offset = if grouped.offsets { (1 << (O_BITS - 1)) * (x / 2 + 1) } else { 0 };
        assert!((sum + 1) * grouped.d_max() as i64 + offset < 1 << 31);
        i += 1;
    }
};

impl Coding {
    /// Bytes of a block of 16 rows of `cols` columns.
    pub const fn block_bytes(self, cols: usize) -> usize {
        match self {
            Self::Rows => cols.div_ceil(TILE_COLS) * TILE_BYTES,
            Self::Groups(grouped) => grouped.groups(cols) * grouped.bytes() * (TILE_ROWS / GROUP_ROWS),
        }
    }

    /// As a number in the packed model's directory: 0, or bits, columns and whether there are offsets, a byte
    /// each.
    pub const fn number(self) -> u32 {
        match self {
            Self::Rows => 0,
            Self::Groups(Grouped { bits, columns, offsets }) => {
                bits as u32 | (columns as u32) << 8 | (offsets as u32) << 16
            }
        }
    }

    /// The coding of a number; `None` for what is none.
    pub fn from_number(number: u32) -> Option<Self> {
        let codings = Grouped::COLUMNS.into_iter().flat_map(|columns| {
            [Grouped::four(columns), Grouped::eight(columns), Grouped::eight_with_offsets(columns)]
        });
        core::iter::once(Self::Rows).chain(codings.map(Self::Groups)).find(|coding| coding.number() == number)
    }
}

#[cfg(feature = "std")]
impl core::fmt::Display for Coding {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match *self {
            Self::Rows => write!(f, "8 bits, rows"),
            Self::Groups(Grouped { bits, columns, offsets }) => {
                // 4-bit codes always have them.
                let offsets = if offsets && bits == Bits::Eight { " with offsets" } else { "" };
                write!(f, "{} bits, groups of {columns}{offsets}", bits as u32)
            }
        }
    }
}
