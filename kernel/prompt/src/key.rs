//! Keys, whichever console they were pressed on.

/// A key press.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    /// A character that can be seen, or a blank.
    Char(char),
    /// Ends the line.
    Enter,
    /// Deletes to the left.
    Backspace,
    /// Deletes to the right.
    Delete,
    /// A character to the left.
    Left,
    /// A character to the right.
    Right,
    /// The line before in the history.
    Up,
    /// The line after in the history.
    Down,
    /// To the line's beginning.
    Home,
    /// To the line's end.
    End,
    /// Deletes the word to the left.
    DeleteWord,
    /// Deletes from the cursor to the end.
    DeleteToEnd,
    /// Esc or Ctrl-C: stops the story, or empties the line.
    Stop,
}

impl Key {
    /// What a control character means: the usual ones of a terminal and of readline. `None` for
    /// those that mean nothing here.
    pub fn from_control(code: u8) -> Option<Self> {
        /// The code of Ctrl and a letter.
        const fn ctrl(letter: u8) -> u8 {
            letter & 0x1F
        }
        const BACKSPACE: u8 = ctrl(b'H');
        const ENTER: u8 = ctrl(b'M');
        const LINE_FEED: u8 = ctrl(b'J');
        const ESC: u8 = 0x1B;
        const DEL: u8 = 0x7F;
        const INTERRUPT: u8 = ctrl(b'C');
        const KILL_LINE: u8 = ctrl(b'U');
        const HOME: u8 = ctrl(b'A');
        const END: u8 = ctrl(b'E');
        const KILL_WORD: u8 = ctrl(b'W');
        const KILL_TO_END: u8 = ctrl(b'K');
        Some(match code {
            ENTER | LINE_FEED => Self::Enter,
            BACKSPACE | DEL => Self::Backspace,
            ESC | INTERRUPT | KILL_LINE => Self::Stop,
            HOME => Self::Home,
            END => Self::End,
            KILL_WORD => Self::DeleteWord,
            KILL_TO_END => Self::DeleteToEnd,
            _ => return None,
        })
    }
}
