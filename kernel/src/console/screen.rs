//! A text screen: what it shows, apart from the hardware that shows it.

/// Columns of text mode 3.
pub const COLUMNS: usize = 80;
/// Rows of text mode 3.
pub const ROWS: usize = 25;
/// Distance of tab stops.
const TAB: usize = 8;
/// Light grey on black, in a cell's high byte.
pub const PLAIN: u16 = 0x0700;
/// An empty cell.
const BLANK: u16 = PLAIN | b' ' as u16;

/// Shows cells: character in the low byte, attribute in the high byte.
pub trait Display {
    /// Shows `cells` from cell number `first` on.
    fn show(&mut self, first: usize, cells: &[u16]);
    /// Puts the cursor on cell number `cell`.
    fn place_cursor(&mut self, cell: usize);
}

/// The cells and the cursor. All is kept here as well: reading video memory is slow.
pub struct Screen {
    cells: [u16; COLUMNS * ROWS],
    cursor: usize,
}

impl Screen {
    /// Blank, the cursor in the first cell.
    pub const fn new() -> Self {
        Self { cells: [0; COLUMNS * ROWS], cursor: 0 }
    }

    /// Blanks the screen.
    pub fn clear(&mut self, display: &mut impl Display) {
        self.cells = [BLANK; COLUMNS * ROWS];
        self.cursor = 0;
        display.show(0, &self.cells);
    }

    /// Writes one character of the display's code page. Line feed, carriage return, tab and
    /// backspace move the cursor; the last line scrolls.
    pub fn write(&mut self, display: &mut impl Display, character: u8) {
        let column = self.cursor % COLUMNS;
        match character {
            b'\n' => self.cursor += COLUMNS - column,
            b'\r' => self.cursor -= column,
            b'\t' => self.cursor += TAB - column % TAB,
            b'\x08' => self.cursor -= usize::from(column > 0),
            _ => {
                self.cells[self.cursor] = PLAIN | u16::from(character);
                display.show(self.cursor, &self.cells[self.cursor..=self.cursor]);
                self.cursor += 1;
            }
        }
        if self.cursor >= self.cells.len() {
            self.scroll(display);
        }
    }

    fn scroll(&mut self, display: &mut impl Display) {
        self.cells.copy_within(COLUMNS.., 0);
        self.cells[COLUMNS * (ROWS - 1)..].fill(BLANK);
        self.cursor -= COLUMNS;
        display.show(0, &self.cells);
    }

    /// Shows the cursor where the next character will go.
    pub fn show_cursor(&self, display: &mut impl Display) {
        display.place_cursor(self.cursor);
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
    use std::string::{String, ToString};

    /// What a viewer sees.
    struct Glass {
        cells: [u16; COLUMNS * ROWS],
        cursor: usize,
    }

    impl Display for Glass {
        fn show(&mut self, first: usize, cells: &[u16]) {
            self.cells[first..first + cells.len()].copy_from_slice(cells);
        }
        fn place_cursor(&mut self, cell: usize) {
            self.cursor = cell;
        }
    }

    impl Glass {
        fn row(&self, row: usize) -> String {
            let cells = &self.cells[row * COLUMNS..(row + 1) * COLUMNS];
            let text: String = cells.iter().map(|&cell| char::from(cell as u8)).collect();
            text.trim_end().to_string()
        }
    }

    fn after(text: &[u8]) -> Glass {
        let mut glass = Glass { cells: [0; COLUMNS * ROWS], cursor: 0 };
        let mut screen = Screen::new();
        screen.clear(&mut glass);
        text.iter().for_each(|&character| screen.write(&mut glass, character));
        screen.show_cursor(&mut glass);
        assert_eq!(glass.cells, screen.cells);
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
    fn a_full_row_goes_on_in_the_next() {
        let glass = after(&[b'a'; COLUMNS + 1]);
        assert_eq!(glass.row(1), "a");
        assert_eq!(glass.cursor, COLUMNS + 1);
    }

    #[test]
    fn the_last_row_scrolls() {
        let mut text = String::new();
        for line in 0..30 {
            text += &std::format!("line {line}\n");
        }
        let glass = after(text.as_bytes());
        assert_eq!(glass.row(0), "line 6");
        assert_eq!(glass.row(23), "line 29");
        assert_eq!(glass.row(24), "");
        assert_eq!(glass.cursor, COLUMNS * (ROWS - 1));
    }

    #[test]
    fn the_last_cell_and_a_last_tab_scroll_too() {
        let mut text = std::vec![b'\n'; ROWS - 1];
        text.extend([b'x'; COLUMNS - 1]);
        text.push(b'\t');
        let glass = after(&text);
        assert_eq!(glass.row(23).len(), COLUMNS - 1);
        assert_eq!(glass.cursor, COLUMNS * (ROWS - 1));
    }
}
