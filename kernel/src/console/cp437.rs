//! UTF-8 to code page 437, the characters in every VGA's ROM.
//!
//! Source: Unicode's mapping table "cp437_DOSLatinUS".

/// What stands for a character that the code page does not have.
const UNKNOWN: u8 = b'?';

/// Characters 80h to FFh.
const HIGH: [char; 128] = [
    'Ç', 'ü', 'é', 'â', 'ä', 'à', 'å', 'ç', 'ê', 'ë', 'è', 'ï', 'î', 'ì', 'Ä', 'Å', //
    'É', 'æ', 'Æ', 'ô', 'ö', 'ò', 'û', 'ù', 'ÿ', 'Ö', 'Ü', '¢', '£', '¥', '₧', 'ƒ', //
    'á', 'í', 'ó', 'ú', 'ñ', 'Ñ', 'ª', 'º', '¿', '⌐', '¬', '½', '¼', '¡', '«', '»', //
    '░', '▒', '▓', '│', '┤', '╡', '╢', '╖', '╕', '╣', '║', '╗', '╝', '╜', '╛', '┐', //
    '└', '┴', '┬', '├', '─', '┼', '╞', '╟', '╚', '╔', '╩', '╦', '╠', '═', '╬', '╧', //
    '╨', '╤', '╥', '╙', '╘', '╒', '╓', '╫', '╪', '┘', '┌', '█', '▄', '▌', '▐', '▀', //
    'α', 'ß', 'Γ', 'π', 'Σ', 'σ', 'µ', 'τ', 'Φ', 'Θ', 'Ω', 'δ', '∞', 'φ', 'ε', '∩', //
    '≡', '±', '≥', '≤', '⌠', '⌡', '÷', '≈', '°', '∙', '·', '√', 'ⁿ', '²', '■', '\u{a0}',
];

/// The nearest character of the code page.
pub fn from_char(character: char) -> u8 {
    match character {
        '\0'..='\x7F' => character as u8,
        // Typographic characters that stories use, and their plain forms.
        '‘' | '’' => b'\'',
        '“' | '”' => b'"',
        '–' | '—' => b'-',
        '…' => b'.',
        _ => match HIGH.iter().position(|&high| high == character) {
            Some(index) => 0x80 + index as u8,
            None => UNKNOWN,
        },
    }
}

/// Takes UTF-8 byte by byte: a character may be split over two tokens.
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

    /// Takes `byte` and hands on what is complete: nothing, a character, or a broken one's
    /// stand-in and a character.
    pub fn decode(&mut self, byte: u8, mut emit: impl FnMut(u8)) {
        if self.missing > 0 {
            if byte & 0xC0 == 0x80 {
                self.bits = self.bits << 6 | u32::from(byte & 0x3F);
                self.missing -= 1;
                if self.missing == 0 {
                    let whole = char::from_u32(self.bits).filter(|_| self.bits >= self.least);
                    emit(whole.map_or(UNKNOWN, from_char));
                }
                return;
            }
            self.missing = 0;
            emit(UNKNOWN); // cut short; the byte itself begins something new
        }
        let (missing, bits, least) = match byte {
            0x00..=0x7F => return emit(byte),
            0xC0..=0xDF => (1, byte & 0x1F, 0x80),
            0xE0..=0xEF => (2, byte & 0x0F, 0x800),
            0xF0..=0xF7 => (3, byte & 0x07, 0x1_0000),
            0x80..=0xBF | 0xF8..=0xFF => return emit(UNKNOWN),
        };
        *self = Self { bits: bits.into(), missing, least };
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::vec::Vec;

    fn decode(bytes: &[u8]) -> Vec<u8> {
        let mut decoder = Decoder::new();
        let mut out = Vec::new();
        for &byte in bytes {
            decoder.decode(byte, |character| out.push(character));
        }
        out
    }

    #[test]
    fn every_character_of_the_page_comes_back() {
        for (index, character) in HIGH.iter().enumerate() {
            let mut utf8 = [0; 4];
            assert_eq!(decode(character.encode_utf8(&mut utf8).as_bytes()), [0x80 + index as u8]);
        }
        assert_eq!(decode(b"Lily\n"), b"Lily\n");
    }

    #[test]
    fn what_is_not_in_the_page_becomes_a_question_mark() {
        assert_eq!(decode("a日b€c🙂d".as_bytes()), b"a?b?c?d");
        assert_eq!(decode("“it’s” – so…".as_bytes()), b"\"it's\" - so.");
    }

    #[test]
    fn broken_utf8_costs_a_question_mark_and_nothing_else() {
        assert_eq!(decode(b"\xC3x"), b"?x");
        assert_eq!(decode(b"\xE2\x82\xC3\xA9"), b"?\x82");
        assert_eq!(decode(b"\x80\xFF."), b"??.");
        assert_eq!(decode(b"\xC0\xAF."), b"?."); // overlong
        assert_eq!(decode(b"\xED\xA0\x80."), b"?."); // surrogate
        assert_eq!(decode(b"\xF7\xBF\xBF\xBF."), b"?."); // beyond U+10FFFF
    }
}
