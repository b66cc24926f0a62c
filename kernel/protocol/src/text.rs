//! Text taken apart. The standard library's searchers and number parsers are ten times this code.

/// The text before and after the first `separator`, an ASCII character; all of it and nothing where
/// there is none.
#[inline(never)]
pub(crate) fn split_at_byte(text: &str, separator: u8) -> (&str, &str) {
    match text.bytes().position(|byte| byte == separator) {
        // Never empty here, but an index would bring the code of its panic along.
        Some(at) => (text.get(..at).unwrap_or(""), text.get(at + 1..).unwrap_or("")),
        None => (text, ""),
    }
}

/// Decimal digits and nothing else.
#[inline(never)]
pub(crate) fn parse_u64(text: &str) -> Option<u64> {
    if text.is_empty() {
        return None;
    }
    text.bytes().try_fold(0_u64, |number, byte| {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 { None } else { number.checked_mul(10)?.checked_add(digit.into()) }
    })
}

pub(crate) fn parse_u32(text: &str) -> Option<u32> {
    parse_u64(text)?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_digits_that_64_bits_hold() {
        assert_eq!(parse_u64("18446744073709551615"), Some(u64::MAX));
        assert_eq!(parse_u64("007"), Some(7));
        for text in ["18446744073709551616", "99999999999999999999", "", "+1", "-1", " 1", "1a"] {
            assert_eq!(parse_u64(text), None, "{text}");
        }
        assert_eq!(parse_u32("4294967296"), None);
    }

    #[test]
    fn text_is_split_once() {
        assert_eq!(split_at_byte("a=b=c", b'='), ("a", "b=c"));
        assert_eq!(split_at_byte("é", b'='), ("é", ""));
        assert_eq!(split_at_byte("=", b'='), ("", ""));
    }
}
