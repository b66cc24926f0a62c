//! A text screen: what it shows, apart from the hardware that shows it.
//!
//! Words wrap at the edge: a word that does not fit moves to the next row. The last row is not part
//! of the text; it holds a line of status.

use super::cp437::from_char;
use core::fmt;

/// Columns of text mode 3.
pub const COLUMNS: usize = 80;
/// Rows of text mode 3.
pub const ROWS: usize = 25;
/// Rows of text: all but the status line.
pub const TEXT_ROWS: usize = ROWS - 1;
/// Distance of tab stops.
const TAB: usize = 8;
/// A cell without a character.
const BLANK: u8 = b' ';

/// How a character looks: a VGA attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Attribute {
    /// Light grey on black.
    Plain = 0x07,
    /// Black on light grey.
    Reverse = 0x70,
}

/// Shows characters of its code page.
pub trait Display {
    /// Shows characters from cell number `first` on.
    fn show(&mut self, first: usize, characters: &[u8], attribute: Attribute);
    /// Puts the cursor on cell number `cell`.
    fn place_cursor(&mut self, cell: usize);
}

/// The text and the cursor. All is kept here as well: reading video memory is slow.
pub struct Screen {
    text: [u8; COLUMNS * TEXT_ROWS],
    row: usize,
    /// [`COLUMNS`] when the row is full: the next character decides what goes to the next row.
    column: usize,
    /// A blank came after the row was full: the word before it stays where it is.
    blank_at_edge: bool,
}

impl Screen {
    /// Nothing, the cursor in the first cell: before [`Screen::clear`].
    pub const fn new() -> Self {
        Self { text: [0; COLUMNS * TEXT_ROWS], row: 0, column: 0, blank_at_edge: false }
    }

    /// Blanks the screen.
    pub fn clear(&mut self, display: &mut impl Display) {
        (self.row, self.column, self.blank_at_edge) = (0, 0, false);
        self.text.fill(BLANK);
        self.show(display, 0, COLUMNS * TEXT_ROWS);
        display.show(COLUMNS * TEXT_ROWS, &[BLANK; COLUMNS], Attribute::Plain);
    }

    fn show(&self, display: &mut impl Display, first: usize, end: usize) {
        display.show(first, &self.text[first..end], Attribute::Plain);
    }

    /// Writes one character of the display's code page. Line feed, carriage return, tab and
    /// backspace move the cursor; the last row of the text scrolls.
    #[inline(never)]
    pub fn write(&mut self, display: &mut impl Display, character: u8) {
        match character {
            b'\n' => self.new_line(display),
            b'\r' => self.column = 0,
            b'\t' if self.column + TAB > COLUMNS - COLUMNS % TAB => self.new_line(display),
            b'\t' => self.column += TAB - self.column % TAB,
            b'\x08' => self.column -= usize::from(self.column > 0),
            b' ' if self.column == COLUMNS => return self.blank_at_edge = true,
            _ => self.put(display, character),
        }
        self.blank_at_edge = false;
    }

    fn put(&mut self, display: &mut impl Display, character: u8) {
        if self.column == COLUMNS {
            self.wrap(display);
        }
        let cell = self.row * COLUMNS + self.column;
        self.text[cell] = character;
        self.show(display, cell, cell + 1);
        self.column += 1;
    }

    /// Goes to the next row and takes the unfinished word along, if it began in this row.
    fn wrap(&mut self, display: &mut impl Display) {
        let row = self.row * COLUMNS;
        let end = row + COLUMNS;
        let blank = self.text[row..end].iter().rposition(|&character| character == BLANK);
        let start = match blank {
            Some(blank) if !self.blank_at_edge => row + blank + 1,
            _ => end,
        };
        let mut word = [BLANK; COLUMNS];
        let length = end - start;
        word[..length].copy_from_slice(&self.text[start..end]);
        self.text[start..end].fill(BLANK);
        self.show(display, start, end);
        self.new_line(display);
        let next = self.row * COLUMNS;
        self.text[next..next + length].copy_from_slice(&word[..length]);
        self.show(display, next, next + length);
        self.column = length;
    }

    fn new_line(&mut self, display: &mut impl Display) {
        self.column = 0;
        if self.row + 1 < TEXT_ROWS {
            self.row += 1;
            return;
        }
        self.text.copy_within(COLUMNS.., 0);
        self.text[COLUMNS * (TEXT_ROWS - 1)..].fill(BLANK);
        self.show(display, 0, COLUMNS * TEXT_ROWS);
    }

    /// Shows the status line.
    pub fn set_status(&self, display: &mut impl Display, row: &StatusRow) {
        display.show(COLUMNS * TEXT_ROWS, &row.characters, Attribute::Reverse);
    }

    /// Shows the cursor where the next character will go.
    pub fn show_cursor(&self, display: &mut impl Display) {
        display.place_cursor(self.row * COLUMNS + self.column.min(COLUMNS - 1));
    }
}

/// A status line to be: what is written to it, as far as it fits, and blanks.
pub struct StatusRow {
    characters: [u8; COLUMNS],
    length: usize,
}

impl StatusRow {
    /// Blanks.
    pub const fn new() -> Self {
        Self { characters: [BLANK; COLUMNS], length: 0 }
    }
}

impl fmt::Write for StatusRow {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for character in text.chars() {
            let Some(cell) = self.characters.get_mut(self.length) else { break };
            *cell = from_char(character);
            self.length += 1;
        }
        Ok(())
    }
}

impl Default for StatusRow {
    fn default() -> Self {
        Self::new()
    }
}

impl Default for Screen {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use core::fmt::Write;
    use std::string::{String, ToString};

    /// What a viewer sees.
    struct Glass {
        cells: [(u8, Attribute); COLUMNS * ROWS],
        cursor: usize,
    }

    impl Display for Glass {
        fn show(&mut self, first: usize, characters: &[u8], attribute: Attribute) {
            for (cell, &character) in self.cells[first..].iter_mut().zip(characters) {
                *cell = (character, attribute);
            }
        }
        fn place_cursor(&mut self, cell: usize) {
            self.cursor = cell;
        }
    }

    impl Glass {
        fn row(&self, row: usize) -> String {
            let cells = &self.cells[row * COLUMNS..(row + 1) * COLUMNS];
            let text: String = cells.iter().map(|&(character, _)| char::from(character)).collect();
            text.trim_end().to_string()
        }
    }

    fn status(text: &str) -> StatusRow {
        let mut row = StatusRow::new();
        row.write_str(text).unwrap();
        row
    }

    fn after(text: &[u8]) -> Glass {
        let mut glass = Glass { cells: [(0, Attribute::Reverse); COLUMNS * ROWS], cursor: 0 };
        let mut screen = Screen::new();
        screen.clear(&mut glass);
        screen.set_status(&mut glass, &status("idle"));
        text.iter().for_each(|&character| screen.write(&mut glass, character));
        screen.show_cursor(&mut glass);
        let (shown, status) = glass.cells.split_at(COLUMNS * TEXT_ROWS);
        assert!(shown.iter().copied().eq(screen.text.map(|character| (character, Attribute::Plain))));
        assert!(status.iter().all(|&(_, attribute)| attribute == Attribute::Reverse));
        assert_eq!(glass.row(TEXT_ROWS), "idle");
        glass
    }

    #[test]
    fn controls_move_the_cursor() {
        let glass = after(b"one\ntwo\rT\tx\x08y");
        assert_eq!(glass.row(0), "one");
        assert_eq!(glass.row(1), "Two     y");
        assert_eq!(glass.cursor, COLUMNS + 9);
    }

    #[test]
    fn a_word_longer_than_a_row_is_cut() {
        let glass = after(&[b'a'; COLUMNS + 1]);
        assert_eq!(glass.row(0).len(), COLUMNS);
        assert_eq!(glass.row(1), "a");
        assert_eq!(glass.cursor, COLUMNS + 1);
    }

    #[test]
    fn a_word_that_does_not_fit_moves_down() {
        let mut text = [b'x'; COLUMNS - 3].to_vec();
        text.extend(b" wood");
        let glass = after(&text);
        assert_eq!(glass.row(0).len(), COLUMNS - 3);
        assert_eq!(glass.row(1), "wood");
        assert_eq!(glass.cursor, COLUMNS + 4);
    }

    #[test]
    fn a_word_that_just_fits_stays() {
        let mut text = [b'x'; COLUMNS - 5].to_vec();
        text.extend(b" wood");
        assert_eq!(after(&text).row(0).len(), COLUMNS);
        assert_eq!(after(&text).cursor, COLUMNS - 1, "the cursor waits in the last cell");
        text.extend(b" next");
        assert_eq!(after(&text).row(0).len(), COLUMNS);
        assert_eq!(after(&text).row(1), "next", "the blank between them is at the edge");
    }

    #[test]
    fn a_full_row_and_a_line_feed_are_one_line_end() {
        let mut text = [b'x'; COLUMNS].to_vec();
        text.extend(b"\nnext");
        assert_eq!(after(&text).row(1), "next");
    }

    #[test]
    fn every_word_is_whole_and_in_order_however_the_rows_end() {
        let words: String = (0..150).map(|n| "w".repeat(n % 11 + 1) + " ").collect();
        let glass = after(words.as_bytes());
        let shown: String = (0..TEXT_ROWS).map(|row| glass.row(row) + " ").collect();
        let both = shown.split_whitespace().zip(words.split_whitespace());
        assert_eq!(both.filter(|(shown, word)| shown == word).count(), 150);
    }

    #[test]
    fn the_last_row_of_the_text_scrolls() {
        let mut text = String::new();
        for line in 0..30 {
            text += &std::format!("line {line}\n");
        }
        let glass = after(text.as_bytes());
        assert_eq!(glass.row(0), "line 7");
        assert_eq!(glass.row(22), "line 29");
        assert_eq!(glass.row(23), "");
        assert_eq!(glass.cursor, COLUMNS * (TEXT_ROWS - 1));
    }

    #[test]
    fn wrapping_and_the_last_tab_scroll_too() {
        let mut text = std::vec![b'\n'; TEXT_ROWS - 1];
        text.extend([b'x'; COLUMNS - 3]);
        text.extend(b" wood");
        assert_eq!(after(&text).row(22).len(), COLUMNS - 3);
        assert_eq!(after(&text).row(23), "wood");
        text.truncate(TEXT_ROWS - 1 + COLUMNS - 3);
        text.push(b'\t');
        assert_eq!(after(&text).row(22).len(), COLUMNS - 3);
        assert_eq!(after(&text).cursor, COLUMNS * (TEXT_ROWS - 1));
    }

    #[test]
    fn a_long_status_is_cut() {
        let mut glass = after(b"");
        Screen::new().set_status(&mut glass, &status(&"s".repeat(100)));
        assert_eq!(glass.row(TEXT_ROWS), "s".repeat(COLUMNS));
    }
}
