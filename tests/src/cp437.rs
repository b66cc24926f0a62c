//! Code page 437, the character set of the PC's text screen, as Unicode.
//!
//! This table is written independently of the kernel's, which goes the other way.

/// 0x00–0x1F: pictures in video memory, not control characters. The first is blank.
const LOW: &str = " ☺☻♥♦♣♠•◘○◙♂♀♪♫☼►◄↕‼¶§▬↨↑↓→←∟↔▲▼";
/// 0x7F–0xFF.
const HIGH: &str = "⌂ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒáíóúñÑªº¿⌐¬½¼¡«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐└┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■\u{a0}";

/// The character that the screen shows for `byte`.
pub fn to_char(byte: u8) -> char {
    let found = match byte {
        0..=0x1F => LOW.chars().nth(byte.into()),
        0x20..=0x7E => Some(byte.into()),
        0x7F.. => HIGH.chars().nth(usize::from(byte) - 0x7F),
    };
    found.expect("the tables cover every byte")
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_byte_has_a_character_of_its_own() {
        let all: HashSet<char> = (1..=255).map(to_char).collect();
        assert_eq!(all.len(), 255);
    }

    #[test]
    fn well_known_places() {
        for (byte, char) in [
            (0x00, ' '),
            (0x01, '☺'),
            (0x41, 'A'),
            (0x7E, '~'),
            (0x82, 'é'),
            (0xB0, '░'),
            (0xC4, '─'),
            (0xDB, '█'),
            (0xE1, 'ß'),
            (0xFB, '√'),
            (0xFE, '■'),
        ] {
            assert_eq!(to_char(byte), char, "{byte:#x}");
        }
    }
}
