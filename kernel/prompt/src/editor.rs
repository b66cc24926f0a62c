//! Editing a line: keys in, what the consoles show out, and at Enter the line.
use super::history::History;
use super::key::Key;
use super::line::{LINE_LIMIT, Line};
use super::viewport::{MARK, Viewport};
use alloc::string::String;
use core::fmt;

/// The line, the history, and what is shown.
#[derive(Debug, Default)]
pub struct Editor {
    line: Line,
    history: History,
    view: Viewport,
    /// Characters that did not fit the line.
    lost: usize,
}

/// A line that was longer than a line may be, of which no part was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLong {
    /// How many characters came.
    pub characters: usize,
}

impl fmt::Display for TooLong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { characters } = self;
        write!(
            f,
            "That line has {characters} characters; a line may have {LINE_LIMIT}, so use a shorter one."
        )
    }
}

impl Editor {
    /// Nothing typed, nothing remembered.
    pub const fn new() -> Self {
        Self { line: Line::new(), history: History::new(), view: Viewport::new(), lost: 0 }
    }

    /// Begins a new line: writes the mark to `out`.
    pub fn begin(&mut self, out: &mut String) {
        self.line.set("");
        self.view = Viewport::new();
        self.lost = 0;
        out.push_str(MARK);
    }

    /// Takes a key and writes to `out` what it changes on the consoles. At Enter gives the line.
    #[inline(never)] // a small frame: what is in it is reached by short instructions
    pub fn press(&mut self, key: Key, out: &mut String) -> Option<Result<String, TooLong>> {
        match key {
            Key::Char(character) => self.lost += usize::from(!self.line.insert(character)),
            Key::Enter => return Some(self.enter(out)),
            Key::Backspace => self.line.backspace(),
            Key::Delete => self.line.delete(),
            Key::Left => self.line.left(),
            Key::Right => self.line.right(),
            Key::Home => self.line.home(),
            Key::End => self.line.end(),
            Key::DeleteWord => self.line.delete_word(),
            Key::DeleteToEnd => self.line.delete_to_end(),
            Key::Stop => self.line.set(""),
            Key::Up => {
                if let Some(older) = self.history.older(&self.line.text()) {
                    self.line.set(older);
                }
            }
            Key::Down => {
                if let Some(newer) = self.history.newer() {
                    self.line.set(newer);
                }
            }
        }
        if !matches!(key, Key::Char(_)) {
            self.lost = 0; // whoever edits the line sees what is in it
        }
        self.view.update(self.line.characters(), self.line.cursor(), out);
        None
    }

    fn enter(&mut self, out: &mut String) -> Result<String, TooLong> {
        self.line.end();
        self.view.update(self.line.characters(), self.line.cursor(), out);
        out.push('\n');
        if self.lost > 0 {
            return Err(TooLong { characters: LINE_LIMIT + self.lost });
        }
        let text = self.line.text();
        self.history.push(&text);
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Types keys and gives what was shown and the line at Enter.
    fn typed(editor: &mut Editor, keys: &[Key]) -> (String, Option<Result<String, TooLong>>) {
        let mut out = String::new();
        let mut entered = None;
        editor.begin(&mut out);
        for &key in keys {
            entered = editor.press(key, &mut out).or(entered);
        }
        (out, entered)
    }

    #[test]
    fn a_line_is_echoed_and_entered() {
        let (out, line) = typed(&mut Editor::new(), &[Key::Char('H'), Key::Char('i'), Key::Enter]);
        assert_eq!((out.as_str(), line), ("> Hi\n", Some(Ok("Hi".into()))));
    }

    #[test]
    fn editing_in_the_middle_shows_and_means_the_same() {
        let keys = [Key::Char('a'), Key::Char('c'), Key::Left, Key::Char('b'), Key::Enter];
        let (out, line) = typed(&mut Editor::new(), &keys);
        assert_eq!((out.as_str(), line), ("> ac\x08bc\x08c\n", Some(Ok("abc".into()))));
    }

    #[test]
    fn esc_empties_the_line_and_up_brings_an_entered_one_back() {
        let mut editor = Editor::new();
        let x = Key::Char('x');
        assert_eq!(typed(&mut editor, &[x, Key::Stop, Key::Enter]).1, Some(Ok("".into())));
        assert_eq!(typed(&mut editor, &[x, x, Key::Enter]).1, Some(Ok("xx".into())));
        assert_eq!(typed(&mut editor, &[Key::Up, x, Key::Enter]).1, Some(Ok("xxx".into())));
        assert_eq!(typed(&mut editor, &[Key::Up, Key::Up, Key::Enter]).1, Some(Ok("xx".into())));
        assert_eq!(typed(&mut editor, &[Key::Up, Key::Down, Key::Enter]).1, Some(Ok("".into())));
    }

    #[test]
    fn a_line_that_is_too_long_is_refused_whole_unless_it_is_edited() {
        let mut editor = Editor::new();
        let mut keys = alloc::vec![Key::Char('x'); 10_000];
        keys.push(Key::Enter);
        assert_eq!(typed(&mut editor, &keys).1, Some(Err(TooLong { characters: 10_000 })));
        keys.insert(10_000, Key::Backspace);
        let line = typed(&mut editor, &keys).1.unwrap().unwrap();
        assert_eq!(line.len(), LINE_LIMIT - 1);
    }
}
