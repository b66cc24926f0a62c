//! A line that is being typed.
use alloc::string::String;
use alloc::vec::Vec;

/// Most characters of a line: about what fills a context of 1,024 tokens.
pub const LINE_LIMIT: usize = 4096;

/// The characters, and the cursor before one of them or at the end.
#[derive(Debug, Default)]
pub struct Line {
    characters: Vec<char>,
    cursor: usize,
}

impl Line {
    /// An empty line.
    pub const fn new() -> Self {
        Self { characters: Vec::new(), cursor: 0 }
    }

    /// The characters.
    pub fn characters(&self) -> &[char] {
        &self.characters
    }

    /// How many characters are to the left of the cursor.
    pub fn cursor(&self) -> usize {
        self.cursor
    }

    /// The line as text.
    pub fn text(&self) -> String {
        self.characters.iter().collect()
    }

    /// Puts other text into the line, and the cursor at its end.
    pub fn set(&mut self, text: &str) {
        self.characters.clear();
        self.cursor = 0;
        for character in text.chars() {
            self.insert(character);
        }
    }

    /// Types a character. `false` if the line is full.
    pub fn insert(&mut self, character: char) -> bool {
        let room = self.characters.len() < LINE_LIMIT;
        if room {
            self.characters.insert(self.cursor, character);
            self.cursor += 1;
        }
        room
    }

    /// Deletes the character to the left.
    pub fn backspace(&mut self) {
        if self.cursor > 0 {
            self.cursor -= 1;
            self.characters.remove(self.cursor);
        }
    }

    /// Deletes the character to the right.
    pub fn delete(&mut self) {
        if self.cursor < self.characters.len() {
            self.characters.remove(self.cursor);
        }
    }

    /// Deletes to the left: blanks, then all up to the next blank.
    pub fn delete_word(&mut self) {
        self.backspace_while(|character| character == ' ');
        self.backspace_while(|character| character != ' ');
    }

    fn backspace_while(&mut self, condition: fn(char) -> bool) {
        while self.cursor > 0 && condition(self.characters[self.cursor - 1]) {
            self.backspace();
        }
    }

    /// Deletes all to the right.
    pub fn delete_to_end(&mut self) {
        self.characters.truncate(self.cursor);
    }

    /// One character to the left.
    pub fn left(&mut self) {
        self.cursor = self.cursor.saturating_sub(1);
    }

    /// One character to the right.
    pub fn right(&mut self) {
        self.cursor = (self.cursor + 1).min(self.characters.len());
    }

    /// To the beginning.
    pub fn home(&mut self) {
        self.cursor = 0;
    }

    /// To the end.
    pub fn end(&mut self) {
        self.cursor = self.characters.len();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str, cursor: usize) -> Line {
        Line { characters: text.chars().collect(), cursor }
    }

    fn is(line: &Line, text: &str, cursor: usize) {
        assert_eq!((line.text().as_str(), line.cursor()), (text, cursor));
    }

    #[test]
    fn typing_goes_where_the_cursor_is() {
        let mut line = line("ac", 1);
        assert!(line.insert('é'));
        is(&line, "aéc", 2);
        line.backspace();
        line.delete();
        is(&line, "a", 1);
    }

    #[test]
    fn the_ends_hold() {
        let mut line = line("a", 0);
        line.backspace();
        line.left();
        is(&line, "a", 0);
        line.right();
        line.right();
        line.delete();
        is(&line, "a", 1);
    }

    #[test]
    fn words_go_with_the_blanks_behind_them() {
        let mut line = line("one two  three", 9);
        line.delete_word();
        is(&line, "one three", 4);
        line.delete_to_end();
        line.delete_word();
        is(&line, "", 0);
        line.delete_word();
        is(&line, "", 0);
    }

    #[test]
    fn a_full_line_takes_no_more() {
        let mut line = line("", 0);
        assert!((0..LINE_LIMIT).all(|_| line.insert('x')));
        assert!(!line.insert('y'));
        assert_eq!(line.characters().len(), LINE_LIMIT);
    }
}
