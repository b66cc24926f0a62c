//! The weights of 8 rows in groups of columns: one loop over the groups, with the products of a group in it, for
//! SSE2 and SSE4.1, which bring their own products and their own way to use the factors. In assembly, as a
//! compiler for 16-bit code makes three times the bytes of it, and no order that QEMU's translator likes.
use crate::matrix::factors::GROUP_ROWS;
use bytemuck::{Pod, Zeroable};

/// What is known of x in a group of columns.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C, align(16))]
pub struct GroupOfX {
    /// What the sums of products start at, four times.
    pub start: [i32; 4],
    /// `⌊Σ x / 2⌋`, four times.
    pub half_sum: [i32; 4],
}

impl GroupOfX {
    /// Of a group of zeros.
    pub const ZERO: Self = Self { start: [0; 4], half_sum: [0; 4] };
}

/// Totals of 8 rows, and what the loop has no register for.
#[repr(C)]
pub struct Totals {
    pub rows: [i32; GROUP_ROWS],
    /// Words of 32 bits in which a row's codes of a group are.
    pub words: u32,
}

const _: () =
    assert!(size_of::<GroupOfX>() == 32 && core::mem::offset_of!(Totals, words) == 32, "in assembly");

/// A function for a target feature: for all groups, `start` sets the sums in xmm0 and xmm1, `products` adds 32
/// bits of codes of 8 rows, of which there are `words`, and `factors` makes them the group's part of the totals.
macro_rules! add_groups_of {
    ($name:ident, $feature:literal, $start:expr, $products:expr, $factors:expr) => {
        #[doc = concat!("As [`super::scalar::", stringify!($name), "`].")]
        ///
        /// # Safety
        /// There must be one group or more; as many groups of weights; two operands for each 4 columns; and one or
        /// more words.
        #[target_feature(enable = $feature)]
        #[inline(never)]
        #[cfg_attr(target_os = "none", unsafe(link_section = ".text.hot.groups"))] // kernel/pc/program.ld
        pub unsafe fn $name(
            weights: &[u8],
            operands: &[super::Operand],
            groups: &[super::GroupOfX],
            totals: &mut super::groups::Totals,
        ) {
            // SAFETY: the caller's promise: each round reads a group's weights, its operands and what is known of x,
            // 32 bytes; it reads the 36 bytes of `totals` and writes the first 32. It uses only the registers
            // that it names, and the caller's feature.
            unsafe {
                core::arch::asm!(
                    "2:",
                    "mov {words:e}, [{totals} + 32]",
                    $start,
                    "3:",
                    $products,
                    "dec {words:e}; jnz 3b",
                    $factors,
                    "add {groups}, 32",
                    "dec {count}; jnz 2b",
                    w = inout(reg) weights.as_ptr() => _,
                    x = inout(reg) operands.as_ptr() => _,
                    groups = inout(reg) groups.as_ptr() => _,
                    totals = in(reg) totals,
                    count = inout(reg) groups.len() => _,
                    words = out(reg) _,
                    out("xmm0") _, out("xmm1") _, out("xmm2") _, out("xmm3") _,
                    out("xmm4") _, out("xmm5") _, out("xmm6") _, out("xmm7") _,
                    options(nostack),
                );
            }
        }
    };
}

/// The functions of all codings for a target feature, from the macros `start`, `products_of_4_bits`,
/// `products_of_8_bits`, `factors_with_offsets` and `factors` of the file that asks for them.
macro_rules! add_groups {
    ($feature:literal) => {
        use super::groups::add_groups_of;
        add_groups_of!(
            add_groups_of_4_bits,
            $feature,
            start!(),
            products_of_4_bits!(),
            factors_with_offsets!()
        );
        add_groups_of!(
            add_groups_with_offsets,
            $feature,
            start!(),
            products_of_8_bits!(),
            factors_with_offsets!()
        );
        add_groups_of!(add_groups_of_8_bits, $feature, start!(), products_of_8_bits!(), factors!());
    };
}

pub(super) use {add_groups, add_groups_of};
