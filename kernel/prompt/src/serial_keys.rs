//! Keys as a terminal sends them: UTF-8, control characters, escape sequences.
//!
//! Source: ECMA-48, 5.4 (control sequences); xterm, "ctlseqs", PC-style function keys. All that is
//! not known is ignored: noise on the line must do nothing.
use super::key::Key;
use terminal::utf8::{self, BROKEN};

/// The escape character, which also is the Esc key.
const ESC: u8 = 0x1B;

/// Takes the bytes that come.
#[derive(Debug, Default)]
pub struct SerialKeys {
    state: State,
    utf8: utf8::Decoder,
    /// The byte before was a CR: an LF now belongs to it.
    after_cr: bool,
}

#[derive(Clone, Copy, Debug, Default)]
enum State {
    #[default]
    Ground,
    /// After ESC: the Esc key, or the begin of a sequence.
    Escape,
    /// After `ESC O`.
    Ss3,
    /// After `ESC [`, with the first parameter.
    Csi { parameter: u8, parameters: u8 },
}

impl SerialKeys {
    /// Nothing came yet.
    pub const fn new() -> Self {
        Self { state: State::Ground, utf8: utf8::Decoder::new(), after_cr: false }
    }

    /// Takes a byte and hands on the keys that it completes.
    pub fn decode(&mut self, byte: u8, emit: &mut dyn FnMut(Key)) {
        let state = core::mem::take(&mut self.state);
        match (state, byte) {
            (State::Escape, b'[') => self.state = State::Csi { parameter: 0, parameters: 0 },
            (State::Escape, b'O') => self.state = State::Ss3,
            (State::Escape, _) => {
                emit(Key::Stop);
                self.ground(byte, emit);
            }
            (State::Ss3, _) => final_byte(byte, 0).into_iter().for_each(emit),
            (State::Csi { parameter, parameters: 0 }, b'0'..=b'9') => {
                let parameter = parameter.saturating_mul(10).saturating_add(byte - b'0');
                self.state = State::Csi { parameter, parameters: 0 };
            }
            // Parameters and intermediates that no key of ours has, and no more than a few of them.
            (State::Csi { parameter, parameters: parameters @ ..8 }, 0x20..=0x3F) => {
                self.state = State::Csi { parameter, parameters: parameters + 1 };
            }
            (State::Csi { parameter, .. }, 0x40..=0x7E) => {
                final_byte(byte, parameter).into_iter().for_each(emit);
            }
            (State::Csi { .. } | State::Ground, _) => self.ground(byte, emit),
        }
    }

    /// Whether an ESC waits for what comes after it.
    pub fn is_undecided(&self) -> bool {
        matches!(self.state, State::Escape)
    }

    /// Nothing came for a while: an ESC that waits was the Esc key.
    pub fn time_out(&mut self) -> Option<Key> {
        self.is_undecided().then(|| {
            self.state = State::Ground;
            Key::Stop
        })
    }

    fn ground(&mut self, byte: u8, emit: &mut dyn FnMut(Key)) {
        let after_cr = core::mem::replace(&mut self.after_cr, byte == b'\r');
        match byte {
            b'\n' if after_cr => {}
            ESC => self.state = State::Escape,
            _ => self.utf8.decode(byte, &mut |character| match character {
                BROKEN => {}
                '\0'..='\x1F' | '\x7F' => Key::from_control(character as u8).into_iter().for_each(&mut *emit),
                '\u{80}'..='\u{9F}' => {} // more control characters
                _ => emit(Key::Char(character)),
            }),
        }
    }
}

/// The key of the last byte of a sequence.
fn final_byte(byte: u8, parameter: u8) -> Option<Key> {
    Some(match (byte, parameter) {
        (b'A', _) => Key::Up,
        (b'B', _) => Key::Down,
        (b'C', _) => Key::Right,
        (b'D', _) => Key::Left,
        (b'H', _) | (b'~', 1 | 7) => Key::Home,
        (b'F', _) | (b'~', 4 | 8) => Key::End,
        (b'~', 3) => Key::Delete,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::vec::Vec;

    fn keys(bytes: &[u8]) -> Vec<Key> {
        let mut decoder = SerialKeys::new();
        let mut keys = Vec::new();
        bytes.iter().for_each(|&byte| decoder.decode(byte, &mut |key| keys.push(key)));
        keys.extend(decoder.time_out());
        keys
    }

    fn chars(text: &str) -> Vec<Key> {
        text.chars().map(Key::Char).collect()
    }

    #[test]
    fn text_is_utf8() {
        assert_eq!(keys("Añ €🙂".as_bytes()), chars("Añ €🙂"));
    }

    #[test]
    fn every_kind_of_line_end_is_one_enter() {
        assert_eq!(keys(b"\r\n\r\n"), [Key::Enter; 2]);
        assert_eq!(keys(b"\r\r"), [Key::Enter; 2]);
        assert_eq!(keys(b"\n\n"), [Key::Enter; 2]);
    }

    #[test]
    fn sequences_are_keys() {
        let sent = b"\x1b[A\x1b[B\x1b[C\x1b[D\x1bOA\x1b[H\x1bOF\x1b[3~\x1b[1~\x1b[4~\x1b[1;5C";
        let right = [
            Key::Up,
            Key::Down,
            Key::Right,
            Key::Left,
            Key::Up,
            Key::Home,
            Key::End,
            Key::Delete,
            Key::Home,
            Key::End,
            Key::Right,
        ];
        assert_eq!(keys(sent), right);
    }

    #[test]
    fn a_lone_escape_is_the_esc_key() {
        assert_eq!(keys(b"\x1b"), [Key::Stop]);
        assert_eq!(keys(b"\x1b\x1b"), [Key::Stop; 2]);
        assert_eq!(keys(b"\x1ba"), [Key::Stop, Key::Char('a')]);
        assert_eq!(keys(b"\x03"), [Key::Stop]);
    }

    #[test]
    fn noise_is_ignored() {
        assert_eq!(keys(b"\0\x80\xFFa\xC3\0b\xC2\x85\x1b[38;5;1m\x1b[?25l\x1b[99~c"), chars("abc"));
    }

    #[test]
    fn no_bytes_whatever_leave_it_unable_to_hear() {
        for first in 0..=255 {
            for second in 0..=255 {
                let mut heard =
                    keys(&[ESC, first, second, b'x', b'x', b'x', b'x', b'x', b'x', b'x', b'x', b'x', b'y']);
                assert_eq!(heard.pop(), Some(Key::Char('y')), "{first:#x} {second:#x}");
            }
        }
    }
}
