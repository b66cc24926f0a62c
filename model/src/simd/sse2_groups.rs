//! [`super::groups`] for processors: products by `pmaddwd`, as [`super::sse2`] has them.
use super::groups::add_groups;

macro_rules! start {
    () => {
        "movdqa xmm0, [{groups}]; movdqa xmm1, xmm0"
    };
}

/// Masks of 16-bit lanes: the lowest code of 4 bits, the lower byte.
#[rustfmt::skip]
macro_rules! mask {
    ($shift:literal) => {
        concat!("pcmpeqd xmm7, xmm7; psrlw xmm7, ", $shift)
    };
}

/// The products of four rows of 4-bit codes: columns 0 and 4, then 1 and 5, 2 and 6, 3 and 7.
#[rustfmt::skip]
macro_rules! four_rows_of_codes {
    ($at:literal, $sum:literal) => {
        concat!(
            "movups xmm4, [{w} + ", $at, "]; movdqa xmm5, xmm4; movdqa xmm6, xmm4;",
            "pand xmm4, xmm7; psrlw xmm5, 4;",
            "pmaddwd xmm4, [{x}]; pand xmm5, xmm7;",
            "paddd ", $sum, ", xmm4; movdqa xmm4, xmm6; pmaddwd xmm5, [{x} + 16];",
            "psrlw xmm4, 8; psrlw xmm6, 12;",
            "paddd ", $sum, ", xmm5; pand xmm4, xmm7; pmaddwd xmm6, [{x} + 48];",
            "pmaddwd xmm4, [{x} + 32]; paddd ", $sum, ", xmm6; paddd ", $sum, ", xmm4",
        )
    };
}

#[rustfmt::skip]
macro_rules! products_of_4_bits {
    () => {
        concat!(
            mask!(12), ";",
            four_rows_of_codes!(0, "xmm0"), ";", four_rows_of_codes!(16, "xmm1"), ";",
            "add {w}, 32; add {x}, 64",
        )
    };
}

/// The products of four rows of bytes: even columns, then odd ones.
#[rustfmt::skip]
macro_rules! four_rows_of_bytes {
    ($at:literal, $sum:literal) => {
        concat!(
            "movups xmm4, [{w} + ", $at, "]; movdqa xmm5, xmm4;",
            "pand xmm4, xmm7; psrlw xmm5, 8;",
            "pmaddwd xmm4, [{x}]; pmaddwd xmm5, [{x} + 16];",
            "paddd ", $sum, ", xmm4; paddd ", $sum, ", xmm5",
        )
    };
}

#[rustfmt::skip]
macro_rules! products_of_8_bits {
    () => {
        concat!(
            mask!(8), ";",
            four_rows_of_bytes!(0, "xmm0"), ";", four_rows_of_bytes!(16, "xmm1"), ";",
            "add {w}, 32; add {x}, 32",
        )
    };
}

/// The lower halves of four products, by the two that SSE2 has at once; the second register is lost.
#[rustfmt::skip]
macro_rules! multiply {
    ($a:literal, $b:literal) => {
        concat!(
            "movdqa xmm3, ", $a, "; pmuludq ", $a, ", ", $b, ";", // even lanes
            "psrlq xmm3, 32; psrlq ", $b, ", 32; pmuludq xmm3, ", $b, ";", // odd lanes
            "pshufd ", $a, ", ", $a, ", 8; pshufd xmm3, xmm3, 8; punpckldq ", $a, ", xmm3",
        )
    };
}

/// Adds what is in xmm0 and xmm1 to the totals.
#[rustfmt::skip]
macro_rules! add_to_totals {
    () => {
        concat!(
            "movups xmm6, [{totals}]; movups xmm7, [{totals} + 16];",
            "psrad xmm0, 6; psrad xmm1, 6; paddd xmm0, xmm6; paddd xmm1, xmm7;",
            "movups [{totals}], xmm0; movups [{totals} + 16], xmm1",
        )
    };
}

/// In xmm6 and xmm7 the 24 bits of the factors come above 8 others; d is taken out there, o in xmm4 and xmm5.
#[rustfmt::skip]
macro_rules! factors_with_offsets {
    () => {
        concat!(
            "movups xmm6, [{w}]; movdqa xmm2, xmm6; psrld xmm2, 24; pslld xmm2, 8; pslld xmm6, 8;",
            "pxor xmm7, xmm7; movq xmm3, [{w} + 16]; punpcklwd xmm7, xmm3; por xmm7, xmm2;",
            "movdqa xmm4, xmm6; movdqa xmm5, xmm7; psrad xmm4, 20; psrad xmm5, 20;",
            "pslld xmm6, 12; pslld xmm7, 12; psrld xmm6, 20; psrld xmm7, 20;",
            "psrad xmm0, 3; psrad xmm1, 3;",
            multiply!("xmm0", "xmm6"), ";", multiply!("xmm1", "xmm7"), ";",
            "movdqa xmm6, [{groups} + 16]; movdqa xmm7, xmm6;",
            multiply!("xmm4", "xmm6"), ";", multiply!("xmm5", "xmm7"), ";",
            "paddd xmm0, xmm4; paddd xmm1, xmm5; add {w}, 24;",
            add_to_totals!(),
        )
    };
}

#[rustfmt::skip]
macro_rules! factors {
    () => {
        concat!(
            "movups xmm6, [{w}]; movdqa xmm7, xmm6; pslld xmm6, 16; psrld xmm7, 16; psrld xmm6, 16;",
            "psrad xmm0, 6; psrad xmm1, 6;",
            multiply!("xmm0", "xmm6"), ";", multiply!("xmm1", "xmm7"), ";",
            "add {w}, 16;",
            add_to_totals!(),
        )
    };
}

add_groups!("sse2");
