//! What of the line is on the consoles: one row, which moves along when the line is longer.
//!
//! Changes are shown with characters, blanks and backspaces only, so a terminal that knows nothing
//! else shows the same as the screen.
use alloc::string::String;
use alloc::vec::Vec;

/// What is shown before the line.
pub const MARK: &str = "> ";
/// Characters of the line that are shown: with the mark and the cursor a row of 80 is never full,
/// so it never wraps.
pub const WIDTH: usize = 76;

/// What is shown.
#[derive(Debug, Default)]
pub struct Viewport {
    shown: Vec<char>,
    cursor: usize,
    /// Which character of the line is the first one shown.
    first: usize,
}

impl Viewport {
    /// Nothing is shown yet.
    pub const fn new() -> Self {
        Self { shown: Vec::new(), cursor: 0, first: 0 }
    }

    /// Writes to `out` what turns the row as it is into one that shows `line`.
    pub fn update(&mut self, line: &[char], cursor: usize, out: &mut String) {
        if cursor < self.first || cursor > self.first + WIDTH {
            // Half a row, so that this does not happen again at the next key.
            self.first = cursor.saturating_sub(WIDTH / 2);
        }
        let wanted = &line[self.first..line.len().min(self.first + WIDTH)];
        let cursor = cursor - self.first;
        let same = self.shown.iter().zip(wanted).take_while(|(a, b)| a == b).count();
        if same < self.shown.len().max(wanted.len()) {
            self.move_to(same, out);
            out.extend(&wanted[same..]);
            let blanks = self.shown.len().saturating_sub(wanted.len());
            out.extend(core::iter::repeat_n(' ', blanks));
            self.cursor = wanted.len() + blanks;
            self.shown.clear();
            self.shown.extend_from_slice(wanted);
        }
        self.move_to(cursor, out);
    }

    /// Moves the cursor. What is to the right of it is written again, what is blank is blank.
    fn move_to(&mut self, cursor: usize, out: &mut String) {
        let back = self.cursor.saturating_sub(cursor);
        out.extend(core::iter::repeat_n('\x08', back));
        if cursor > self.cursor {
            out.extend(&self.shown[self.cursor..cursor]);
        }
        self.cursor = cursor;
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;

    /// A row of a terminal: its characters and the cursor.
    #[derive(Default)]
    struct Terminal {
        row: Vec<char>,
        cursor: usize,
    }

    impl Terminal {
        fn write(&mut self, text: &str) {
            for character in text.chars() {
                if character == '\x08' {
                    self.cursor = self.cursor.checked_sub(1).expect("never left of the line");
                } else {
                    if self.cursor == self.row.len() {
                        self.row.push(' ');
                    }
                    self.row[self.cursor] = character;
                    self.cursor += 1;
                    assert!(MARK.len() + self.cursor < 80, "the row would wrap");
                }
            }
        }
    }

    #[test]
    fn a_character_at_the_end_is_one_character() {
        let (mut view, mut out) = (Viewport::new(), String::new());
        view.update(&['a'], 1, &mut out);
        view.update(&['a', 'b'], 2, &mut out);
        assert_eq!(out, "ab");
        out.clear();
        view.update(&['a'], 1, &mut out);
        assert_eq!(out, "\x08 \x08");
    }

    #[test]
    fn any_change_is_shown_right() {
        let mut view = Viewport::new();
        let mut terminal = Terminal::default();
        let mut line: Vec<char> = Vec::new();
        let mut random = 1_u32;
        for _ in 0..20_000 {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let (at, what) = ((random >> 8) as usize % (line.len() + 1), random >> 28);
            match what {
                0 => line.truncate(at),
                1..4 if at < line.len() => drop(line.remove(at)),
                _ => line.insert(at, char::from(b'a' + (random >> 12) as u8 % 26)),
            }
            let cursor = (random >> 4) as usize % (line.len() + 1);
            let mut out = String::new();
            view.update(&line, cursor, &mut out);
            terminal.write(&out);
            let row: String = terminal.row.iter().collect();
            let wanted: String = line[view.first..].iter().take(WIDTH).collect();
            assert_eq!(row.trim_end(), wanted);
            assert_eq!(terminal.cursor + view.first, cursor);
        }
    }
}
