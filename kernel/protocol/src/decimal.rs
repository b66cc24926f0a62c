//! Fractions as decimal text: Q16.16 numbers, which read back as the same number, and tenths and hundredths.
use crate::text::{parse_u32, split_at_byte};
use core::fmt;
use model::fixed::ONE;

/// Digits of a fraction that are read: more make no difference that 16 bits show.
const MOST_DIGITS: usize = 9;

/// Reads decimal text as Q16.16, rounded to the nearest; `None` for anything else and from 32768 on.
pub fn parse_decimal(text: &str) -> Option<u32> {
    let (whole, fraction) = split_at_byte(text, b'.');
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let whole = if whole.is_empty() { 0 } else { parse_u32(whole).filter(|&whole| whole < 1 << 15)? };
    let (mut numerator, mut denominator) = (0u64, 1u64);
    for (at, byte) in fraction.bytes().enumerate() {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        if at < MOST_DIGITS {
            numerator = numerator * 10 + u64::from(digit);
            denominator *= 10;
        }
    }
    Some(whole * ONE + ((numerator * u64::from(ONE) + denominator / 2) / denominator) as u32)
}

/// A Q16.16 as decimal text, with as many digits as bring the same Q16.16 back.
pub struct Decimal(
    /// The Q16.16.
    pub u32,
);

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, fraction) = (self.0 / ONE, self.0 % ONE);
        if fraction == 0 {
            return write!(f, "{whole}");
        }
        // Digits until they are nearer to this Q16.16 than to another: 5 always are.
        let (mut digits, mut denominator) = (0, 1);
        let rounded = loop {
            digits += 1;
            denominator *= 10;
            let rounded = ((u64::from(fraction) * u64::from(denominator) + u64::from(ONE / 2)) >> 16) as u32;
            // In 2^-16 / denominator: at most half of ONE, so the wrapping does not show.
            let off = rounded.wrapping_mul(ONE).wrapping_sub(fraction.wrapping_mul(denominator)) as i32;
            let half = denominator as i32 / 2;
            if (-half..half).contains(&off) {
                break rounded;
            }
        };
        write!(f, "{whole}.{rounded:0digits$}")
    }
}

/// A number of tenths, hundredths and so on, with as many decimal places.
pub struct Places {
    /// The number: 195 for 1.95.
    pub number: u32,
    /// The places: 2 for 1.95.
    pub places: usize,
}

impl fmt::Display for Places {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { number, places } = *self;
        let one = 10_u32.pow(places as u32);
        write!(f, "{}.{:0places$}", number / one, number % one)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::sampler::MAX_TEMPERATURE;

    #[test]
    fn every_q16_16_reads_back_from_its_decimal_text() {
        for q in (0..=3 * ONE).chain(MAX_TEMPERATURE - 10..=MAX_TEMPERATURE) {
            assert_eq!(parse_decimal(&alloc::format!("{}", Decimal(q))), Some(q));
        }
        assert_eq!(alloc::format!("{}", Decimal(45875)), "0.7");
        for text in ["", ".", "1e3", "+1", "NaN", "40000", "1.2.3", "-0"] {
            assert_eq!(parse_decimal(text), None, "{text}");
        }
    }

    #[test]
    fn places_keep_their_zeros() {
        let text = |number, places| alloc::format!("{}", Places { number, places });
        assert_eq!([text(195, 2), text(5, 2), text(5_120, 1)], ["1.95", "0.05", "512.0"]);
    }
}
