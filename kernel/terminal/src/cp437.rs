//! Code page 437: the characters in every VGA's ROM.
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

/// The character behind a byte of the code page.
pub fn to_char(byte: u8) -> char {
    match byte.checked_sub(0x80) {
        Some(index) => HIGH[usize::from(index)],
        None => byte.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_character_of_the_page_comes_back() {
        for byte in 0..=255 {
            assert_eq!(from_char(to_char(byte)), byte);
        }
    }

    #[test]
    fn what_is_not_in_the_page_becomes_a_question_mark() {
        let page =
            |text: &str, expected: &[u8]| assert!(text.chars().map(from_char).eq(expected.iter().copied()));
        page("a日b€c🙂d\u{FFFD}", b"a?b?c?d?");
        page("“it’s” – so…", b"\"it's\" - so.");
    }
}
