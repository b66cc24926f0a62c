//! UTF-8 byte by byte: a character may be split over two tokens, or over two interrupts.

/// What stands for bytes that are no character.
pub const BROKEN: char = char::REPLACEMENT_CHARACTER;

/// Gathers the bytes of a character.
#[derive(Debug, Default)]
pub struct Decoder {
    /// Bits gathered so far.
    bits: u32,
    /// Continuation bytes still to come.
    missing: u8,
    /// The least character that needs this many bytes: less is an overlong form.
    least: u32,
}

impl Decoder {
    /// Between two characters.
    pub const fn new() -> Self {
        Self { bits: 0, missing: 0, least: 0 }
    }

    /// Takes `byte` and hands on what is complete: nothing, a character, or [`BROKEN`] for one that
    /// was cut short and then a character.
    pub fn decode(&mut self, byte: u8, emit: &mut dyn FnMut(char)) {
        if self.missing > 0 {
            if byte & 0xC0 == 0x80 {
                self.bits = self.bits << 6 | u32::from(byte & 0x3F);
                self.missing -= 1;
                if self.missing == 0 {
                    let whole = char::from_u32(self.bits).filter(|_| self.bits >= self.least);
                    emit(whole.unwrap_or(BROKEN));
                }
                return;
            }
            self.missing = 0;
            emit(BROKEN); // the byte itself begins something new
        }
        let (missing, bits, least) = match byte {
            0x00..=0x7F => return emit(byte.into()),
            0xC0..=0xDF => (1, byte & 0x1F, 0x80),
            0xE0..=0xEF => (2, byte & 0x0F, 0x800),
            0xF0..=0xF7 => (3, byte & 0x07, 0x1_0000),
            0x80..=0xBF | 0xF8..=0xFF => return emit(BROKEN),
        };
        *self = Self { bits: bits.into(), missing, least };
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::string::String;

    fn decode(bytes: &[u8]) -> String {
        let mut decoder = Decoder::new();
        let mut out = String::new();
        for &byte in bytes {
            decoder.decode(byte, &mut |character| out.push(character));
        }
        out
    }

    #[test]
    fn characters_of_every_length() {
        assert_eq!(decode("Lily\n é € 🙂".as_bytes()), "Lily\n é € 🙂");
    }

    #[test]
    fn broken_bytes_cost_a_stand_in_and_nothing_else() {
        for (bytes, text) in [
            (&b"\xC3x"[..], "\u{FFFD}x"),
            (b"\xE2\x82\xC3\xA9", "\u{FFFD}é"),
            (b"\x80\xFF.", "\u{FFFD}\u{FFFD}."),
            (b"\xC0\xAF.", "\u{FFFD}."),         // overlong
            (b"\xED\xA0\x80.", "\u{FFFD}."),     // surrogate
            (b"\xF7\xBF\xBF\xBF.", "\u{FFFD}."), // beyond U+10FFFF
        ] {
            assert_eq!(decode(bytes), text);
        }
    }
}
