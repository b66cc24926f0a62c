//! [`super::groups`] for QEMU's translator: products by `pmulld`, as [`super::sse41`] says.
//!
//! A coefficient is copied for the second four rows, not the codes: so they are shifted in place. Sums that are
//! added a word later, and loads a column ahead, keep a result and its use apart.
use super::groups::add_groups;

/// The sums begin; nothing is left over from a word before the first.
macro_rules! start {
    () => {
        "movddup xmm0, [{groups}]; pxor xmm4, xmm4; pxor xmm5, xmm5; movdqa xmm1, xmm0"
    };
}

/// Two columns: the coefficients are in xmm2 and xmm4, those after them come from `x` at two offsets.
#[rustfmt::skip]
macro_rules! two_columns {
    ($bits:literal, $next:literal, $after:literal) => {
        concat!(
            "movdqa xmm3, xmm2; movdqa xmm5, xmm4;",
            "pmulld xmm2, xmm6; pmulld xmm3, xmm7;",
            "psrld xmm6, ", $bits, "; psrld xmm7, ", $bits, ";",
            "paddd xmm0, xmm2; paddd xmm1, xmm3;",
            "pmulld xmm4, xmm6; pmulld xmm5, xmm7;",
            "movddup xmm2, [{x} + ", $next, "];",
            "psrld xmm6, ", $bits, "; psrld xmm7, ", $bits, ";",
            "paddd xmm0, xmm4; paddd xmm1, xmm5;",
            "movddup xmm4, [{x} + ", $after, "]",
        )
    };
}

/// The codes of a word come in: rows 0 to 3 in xmm6, rows 4 to 7 in xmm7.
macro_rules! load {
    () => {
        concat!(
            "movlps xmm6, [{w}]; movhps xmm6, [{w} + 8]; movlps xmm7, [{w} + 16]; movhps xmm7, [{w} + 24];",
            "movddup xmm2, [{x}]; paddd xmm0, xmm4; paddd xmm1, xmm5; movddup xmm4, [{x} + 8]",
        )
    };
}

/// The last two columns of a word; the last one's products are left in xmm4 and xmm5.
#[rustfmt::skip]
macro_rules! last_two_columns {
    ($bits:literal, $bytes:literal) => {
        concat!(
            "movdqa xmm3, xmm2; movdqa xmm5, xmm4;",
            "pmulld xmm2, xmm6; pmulld xmm3, xmm7;",
            "psrld xmm6, ", $bits, "; psrld xmm7, ", $bits, ";",
            "add {w}, 32; add {x}, ", $bytes, ";",
            "pmulld xmm4, xmm6; pmulld xmm5, xmm7;",
            "paddd xmm0, xmm2; paddd xmm1, xmm3",
        )
    };
}

#[rustfmt::skip]
macro_rules! products_of_4_bits {
    () => {
        concat!(
            load!(), ";",
            two_columns!(4, 16, 24), ";", two_columns!(4, 32, 40), ";", two_columns!(4, 48, 56), ";",
            last_two_columns!(4, 64),
        )
    };
}

macro_rules! products_of_8_bits {
    () => {
        concat!(load!(), ";", two_columns!(8, 16, 24), ";", last_two_columns!(8, 32))
    };
}

/// Adds what is in xmm0 and xmm1 to the totals.
#[rustfmt::skip]
macro_rules! add_to_totals {
    () => {
        concat!(
            "movlps xmm6, [{totals}]; movhps xmm6, [{totals} + 8];",
            "movlps xmm7, [{totals} + 16]; movhps xmm7, [{totals} + 24];",
            "psrad xmm0, 6; psrad xmm1, 6;",
            "paddd xmm0, xmm6; paddd xmm1, xmm7;",
            "movlps [{totals}], xmm0; movhps [{totals} + 8], xmm0;",
            "movlps [{totals} + 16], xmm1; movhps [{totals} + 24], xmm1",
        )
    };
}

/// In xmm6 and xmm7 the 24 bits of the factors come above 8 others; d is taken out there, o in xmm4 and xmm5.
#[rustfmt::skip]
macro_rules! factors_with_offsets {
    () => {
        concat!(
            "movlps xmm6, [{w}]; movhps xmm6, [{w} + 8]; pmovzxwd xmm7, [{w} + 16];",
            "movddup xmm2, [{groups} + 16];",
            "paddd xmm0, xmm4; paddd xmm1, xmm5;",
            "movdqa xmm3, xmm6; pslld xmm7, 16; pslld xmm6, 8;",
            "psrld xmm3, 24; psrad xmm0, 3; pslld xmm3, 8; psrad xmm1, 3;",
            "movdqa xmm4, xmm6; por xmm7, xmm3; pslld xmm6, 12;",
            "movdqa xmm5, xmm7; pslld xmm7, 12;",
            "psrld xmm6, 20; psrld xmm7, 20; psrad xmm4, 20; psrad xmm5, 20;",
            "pmulld xmm0, xmm6; pmulld xmm1, xmm7; pmulld xmm4, xmm2; pmulld xmm5, xmm2;",
            "add {w}, 24;",
            "paddd xmm0, xmm4; paddd xmm1, xmm5;",
            add_to_totals!(),
        )
    };
}

#[rustfmt::skip]
macro_rules! factors {
    () => {
        concat!(
            "movlps xmm6, [{w}]; movhps xmm6, [{w} + 8];",
            "paddd xmm0, xmm4; paddd xmm1, xmm5;",
            "psrad xmm0, 6; psrad xmm1, 6;",
            "movdqa xmm7, xmm6; pslld xmm6, 16; psrld xmm7, 16; psrld xmm6, 16;",
            "add {w}, 16;",
            "pmulld xmm1, xmm7; pmulld xmm0, xmm6;",
            add_to_totals!(),
        )
    };
}

add_groups!("sse4.1");
