//! The VGA text screen: 25 rows of 80 cells in video memory, two bytes a cell (OSDev wiki, "Text
//! mode": character in code page 437, then attribute).
use crate::cp437;

/// Linear address of the color text screen.
pub const ADDRESS: u32 = 0xB_8000;
/// Cells in a row.
pub const COLUMNS: usize = 80;
/// Rows.
pub const ROWS: usize = 25;
/// Bytes of the whole screen.
pub const BYTES: usize = COLUMNS * ROWS * 2;

/// A copy of video memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Screen {
    cells: Vec<u8>,
}

impl Screen {
    /// A screen from video memory as it is. `None` unless it is [`BYTES`] long.
    pub fn new(memory: Vec<u8>) -> Option<Self> {
        (memory.len() == BYTES).then_some(Self { cells: memory })
    }

    /// One row without the blanks at its end.
    pub fn row(&self, row: usize) -> String {
        let cells = &self.cells[row * COLUMNS * 2..][..COLUMNS * 2];
        let text: String = cells.chunks(2).map(|cell| cp437::to_char(cell[0])).collect();
        text.trim_end().to_owned()
    }

    /// The attribute byte of a cell: background in bits 4 to 6, foreground in 0 to 3.
    pub fn attribute(&self, row: usize, column: usize) -> u8 {
        self.cells[(row * COLUMNS + column) * 2 + 1]
    }

    /// All rows, one a line.
    pub fn text(&self) -> String {
        (0..ROWS).map(|row| self.row(row) + "\n").collect()
    }

    /// All characters but blanks, in reading order. Text that was wrapped at the edge, in the middle
    /// of a word or not, is found in it again when it is [`squeezed`] the same way.
    pub fn squeezed(&self) -> String {
        squeezed(&self.cells.chunks(2).map(|cell| cp437::to_char(cell[0])).collect::<String>())
    }
}

/// `text` without any blanks or line ends: what is left is the same however it was wrapped.
pub fn squeezed(text: &str) -> String {
    text.chars().filter(|c| !c.is_whitespace()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn screen(rows: &[&[u8]]) -> Screen {
        let mut cells = [b' ', 0x07].repeat(COLUMNS * ROWS);
        for (row, text) in rows.iter().enumerate() {
            for (column, &byte) in text.iter().enumerate() {
                cells[(row * COLUMNS + column) * 2] = byte;
            }
        }
        Screen::new(cells).expect("a whole screen")
    }

    #[test]
    fn rows_are_decoded_and_trimmed() {
        let screen = screen(&[b"unreallm", b"", b"  caf\x82"]);
        assert_eq!(screen.row(0), "unreallm");
        assert_eq!(screen.row(1), "");
        assert_eq!(screen.row(2), "  café");
        assert_eq!(screen.attribute(0, 0), 0x07);
        assert_eq!(screen.text().lines().count(), ROWS);
    }

    #[test]
    fn wrapped_text_is_found_again() {
        let first = [b'x'; COLUMNS];
        let screen = screen(&[&first, b"yz and more"]);
        assert!(screen.squeezed().contains(&squeezed("xxyz and  more\n")));
        assert!(!screen.squeezed().contains(&squeezed("xyz or more")));
    }

    #[test]
    fn memory_of_another_size_is_no_screen() {
        assert_eq!(Screen::new(vec![0; BYTES - 1]), None);
    }
}
