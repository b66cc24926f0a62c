//! What a group of columns is in 16 rows: the same instructions for SSE2 and SSE4.1 but for the product of 32-bit
//! lanes. In assembly because a compiler for 16-bit code makes three times the bytes of it.
use crate::matrix::factors::Vector;

/// What the instructions mask lanes with.
#[repr(C)]
pub struct Masks {
    /// d, the lowest 12 bits.
    pub d: Vector,
    /// d of two rows, the lower 16 bits.
    pub lower_d: Vector,
    /// The second byte.
    pub second: Vector,
    /// The third byte.
    pub third: Vector,
}

pub static MASKS: Masks = Masks {
    d: Vector([0xFFF; 4]),
    lower_d: Vector([0xFFFF; 4]),
    second: Vector([0xFF00; 4]),
    third: Vector([0xFF_0000; 4]),
};

/// `add_group_with_offsets` and `add_group` for a target feature and its instructions for the product of the
/// lanes of two registers; these may use xmm0.
macro_rules! add_group {
    ($feature:literal, $multiply:ident) => {
        /// As [`super::scalar::add_group`] for three vectors of factors.
        #[target_feature(enable = $feature)]
        #[inline(never)]
        #[cfg_attr(target_os = "none", unsafe(link_section = ".text.hot.groups"))] // kernel/pc/program.ld
        pub fn add_group_with_offsets(
            sums: &[i32; $crate::matrix::TILE_ROWS],
            factors: &[$crate::matrix::factors::Vector; 3],
            half_sum: i32,
            y: &mut [i32; $crate::matrix::TILE_ROWS],
        ) {
            let half_sum = [half_sum; 4];
            // SAFETY: the four rounds read the 64 bytes of `sums` and read and write those of `y`, from offset 48
            // down to 0; before them and in them the 48 bytes of `factors`, which are aligned to 16, as the masks
            // are, the 16 bytes of `half_sum` and the masks are read. Only the registers that are named are used,
            // and the caller's feature.
            unsafe {
                core::arch::asm!(
                    "movdqa xmm4, [{masks}]",
                    // the top bytes are row 12's and on
                    "movdqa xmm6, [{factors}]; movdqa xmm5, [{factors} + 16]; movdqa xmm7, [{factors} + 32]",
                    "psrld xmm6, 24; psrld xmm5, 16; psrld xmm7, 8",
                    "pand xmm5, [{masks} + 32]; pand xmm7, [{masks} + 48]",
                    "por xmm6, xmm5; por xmm6, xmm7",
                    "2:",
                    "movups xmm7, [{sums} + {at}]; movups xmm3, [{half_sum}]",
                    "movdqa xmm5, xmm6; pslld xmm6, 8",
                    "pand xmm5, xmm4; psrad xmm6, 20", // d, o
                    "psrad xmm7, 3",
                    $multiply!("xmm7", "xmm5"),
                    $multiply!("xmm6", "xmm3"),
                    "movups xmm2, [{y} + {at}]",
                    "paddd xmm7, xmm6; psrad xmm7, 6",
                    "paddd xmm7, xmm2",
                    "movups [{y} + {at}], xmm7",
                    "sub {at}, 16; js 3f",
                    "movdqa xmm6, [{factors} + {at}]; jmp 2b",
                    "3:",
                    masks = in(reg) &raw const super::groups::MASKS,
                    half_sum = in(reg) half_sum.as_ptr(),
                    sums = in(reg) sums.as_ptr(),
                    factors = in(reg) factors.as_ptr(),
                    y = in(reg) y.as_mut_ptr(),
                    at = inout(reg) 48usize => _,
                    out("xmm0") _, out("xmm2") _, out("xmm3") _, out("xmm4") _,
                    out("xmm5") _, out("xmm6") _, out("xmm7") _,
                    options(nostack),
                );
            }
        }

        /// As [`super::scalar::add_group`] for two vectors of factors.
        #[target_feature(enable = $feature)]
        #[inline(never)]
        #[cfg_attr(target_os = "none", unsafe(link_section = ".text.hot.groups"))] // kernel/pc/program.ld
        pub fn add_group(
            sums: &[i32; $crate::matrix::TILE_ROWS],
            factors: &[$crate::matrix::factors::Vector; 2],
            y: &mut [i32; $crate::matrix::TILE_ROWS],
        ) {
            // SAFETY: the two rounds read the 32 bytes of `factors`, which are aligned to 16, as the masks are, and
            // the 64 bytes of `sums`, and read and write those of `y`. Only the registers that are named are used,
            // and the caller's feature.
            unsafe {
                core::arch::asm!(
                    "2:",
                    "movdqa xmm6, [{factors}]",
                    "movups xmm7, [{sums}]; movups xmm2, [{sums} + 16]",
                    "movdqa xmm5, xmm6; psrld xmm6, 16",
                    "pand xmm5, [{masks} + 16]",
                    "psrad xmm7, 6; psrad xmm2, 6",
                    $multiply!("xmm7", "xmm5"),
                    $multiply!("xmm2", "xmm6"),
                    "movups xmm5, [{y}]; movups xmm6, [{y} + 16]",
                    "psrad xmm7, 6; psrad xmm2, 6",
                    "paddd xmm7, xmm5; paddd xmm2, xmm6",
                    "movups [{y}], xmm7; movups [{y} + 16], xmm2",
                    "add {factors}, 16; add {sums}, 32; add {y}, 32",
                    "dec {count}; jnz 2b",
                    masks = in(reg) &raw const super::groups::MASKS,
                    sums = inout(reg) sums.as_ptr() => _,
                    factors = inout(reg) factors.as_ptr() => _,
                    y = inout(reg) y.as_mut_ptr() => _,
                    count = inout(reg) 2usize => _,
                    out("xmm0") _, out("xmm2") _, out("xmm5") _, out("xmm6") _, out("xmm7") _,
                    options(nostack),
                );
            }
        }
    };
}

pub(super) use add_group;
