//! Keys as the BIOS gives them (INT 16h): an ASCII code in AL, a scan code in AH.
//!
//! Source: Ralf Brown's interrupt list, table #00006 (scan codes).
use super::key::Key;
use terminal::cp437;

/// Scan codes of keys without a character, also on the numeric pad.
const HOME: u8 = 0x47;
const UP: u8 = 0x48;
const LEFT: u8 = 0x4B;
const RIGHT: u8 = 0x4D;
const END: u8 = 0x4F;
const DOWN: u8 = 0x50;
const DELETE: u8 = 0x53;
/// What AL is for the grey keys of a 101-key keyboard, and for keys that it has with Alt alone, where the BIOS does
/// not hide the difference.
const GREY: u8 = 0xE0;
const WITH_ALT: u8 = 0xF0;
/// What Ctrl and Backspace give.
const CTRL_BACKSPACE: u8 = 0x7F;

/// The key of what INT 16h left in AX; `None` for keys that mean nothing here.
pub fn decode(ax: u16) -> Option<Key> {
    let [al, ah] = ax.to_le_bytes();
    match (al, ah) {
        // Alt and digits on the numeric pad give any character, with scan code 0.
        (0, 0) => None,
        (0, _) | (GREY | WITH_ALT, 1..) => Some(match ah {
            HOME => Key::Home,
            UP => Key::Up,
            LEFT => Key::Left,
            RIGHT => Key::Right,
            END => Key::End,
            DOWN => Key::Down,
            DELETE => Key::Delete,
            _ => return None,
        }),
        (CTRL_BACKSPACE, _) => Some(Key::DeleteWord),
        (..0x20, _) => Key::from_control(al),
        _ => Some(Key::Char(cp437::to_char(al))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_a_pc_keyboard() {
        for (ax, key) in [
            (0x1E61, Key::Char('a')),
            (0x3920, Key::Char(' ')),
            (0xE02F, Key::Char('/')), // on the numeric pad
            (0x1C0D, Key::Enter),
            (0xE00D, Key::Enter),
            (0x0E08, Key::Backspace),
            (0x0E7F, Key::DeleteWord),
            (0x011B, Key::Stop),
            (0x2E03, Key::Stop),
            (0x4800, Key::Up),
            (0x48E0, Key::Up),
            (0x5300, Key::Delete),
            (0x0082, Key::Char('é')), // Alt 1 3 0
            (0x00E0, Key::Char('α')), // Alt 2 2 4
            (0x00F0, Key::Char('≡')), // Alt 2 4 0
        ] {
            assert_eq!(decode(ax), Some(key), "{ax:#06x}");
        }
    }

    #[test]
    fn keys_without_a_meaning_are_ignored() {
        // Alt and '[' give 1AF0h.
        for ax in [0x0000, 0x3B00, 0x8600, 0x2C1A, 0x49E0, 0x1AF0] {
            assert_eq!(decode(ax), None, "{ax:#06x}");
        }
    }
}
