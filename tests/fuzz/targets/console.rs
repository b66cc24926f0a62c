//! What the consoles show. UTF-8 that comes byte by byte is what the standard library makes of it,
//! stand-ins apart; every character has its place in code page 437; and what was shown cell by cell is
//! what the screen holds.
#![no_main]
use libfuzzer_sys::fuzz_target;
use terminal::cp437::{from_char, to_char};
use terminal::screen::{Attribute, COLUMNS, Display, ROWS, Screen, TEXT_ROWS};
use terminal::utf8::{BROKEN, Decoder};

/// A display that remembers.
struct Cells {
    cells: [u8; COLUMNS * ROWS],
    cursor: usize,
}

impl Display for Cells {
    fn show(&mut self, first: usize, characters: &[u8], attribute: Attribute) {
        assert_eq!(attribute, Attribute::Plain);
        self.cells[first..first + characters.len()].copy_from_slice(characters);
    }

    fn place_cursor(&mut self, cell: usize) {
        self.cursor = cell;
    }
}

fuzz_target!(|data: &[u8]| {
    let characters = decode(data);
    assert!(characters.len() <= 2 * data.len());
    let whole = |text: &[char]| text.iter().filter(|&&c| c != BROKEN).copied().collect::<String>();
    let lossy: Vec<char> = String::from_utf8_lossy(data).chars().collect();
    assert_eq!(whole(&characters), whole(&lossy));
    if let Ok(text) = str::from_utf8(data) {
        assert!(text.chars().eq(characters.iter().copied()));
    }

    let mut display = Cells { cells: [0; COLUMNS * ROWS], cursor: 0 };
    let mut screen = Screen::new();
    screen.clear(&mut display);
    let blank = display.cells;
    for character in characters {
        let byte = from_char(character);
        let kept = to_char(byte) == character;
        assert!(kept || matches!(byte, b'?' | b'\'' | b'"' | b'-' | b'.'), "{character:?} is {byte:#x}");
        screen.write(&mut display, byte);
        screen.show_cursor(&mut display);
        assert!(display.cursor < COLUMNS * TEXT_ROWS);
        if byte > b' ' {
            // The cursor is behind the character, or on it where the row is full.
            let left = display.cursor.saturating_sub(1);
            let shown = display.cells[left..=display.cursor].contains(&byte);
            assert!(shown, "{character:?} is at the cursor");
        }
    }
    let status = COLUMNS * TEXT_ROWS..;
    assert_eq!(display.cells[status.clone()], blank[status], "text stays out of the status line");
});

fn decode(bytes: &[u8]) -> Vec<char> {
    let mut decoder = Decoder::new();
    let mut characters = Vec::new();
    bytes.iter().for_each(|&byte| decoder.decode(byte, &mut |character| characters.push(character)));
    characters
}
