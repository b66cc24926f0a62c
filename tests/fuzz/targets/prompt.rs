//! The prompt: bytes of the serial port to keys, keys to an edited line. The row on a terminal never
//! wraps, the cursor never leaves the line, what is entered is what stood there; and no noise leaves
//! the line deaf.
#![no_main]
use libfuzzer_sys::fuzz_target;
use prompt::command::{self, Request};
use prompt::editor::Editor;
use prompt::key::Key;
use prompt::line::LINE_LIMIT;
use prompt::serial_keys::SerialKeys;
use prompt::viewport::{MARK, WIDTH};

/// A row of a terminal that knows characters, blanks and backspaces.
#[derive(Default)]
struct Row {
    characters: Vec<char>,
    cursor: usize,
}

impl Row {
    fn write(&mut self, text: &str) {
        for character in text.chars() {
            if character == '\x08' {
                self.cursor = self.cursor.checked_sub(1).expect("never left of the row");
                assert!(self.cursor >= MARK.len(), "never left of the line");
                continue;
            }
            self.characters.resize(self.characters.len().max(self.cursor + 1), ' ');
            self.characters[self.cursor] = character;
            self.cursor += 1;
            assert!(self.cursor < 80, "the row would wrap");
        }
    }
}

fuzz_target!(|data: &[u8]| {
    let mut keys = SerialKeys::new();
    let mut pressed = Vec::new();
    // An Enter ends whatever is going on; ten characters get through any sequence.
    let bytes = data.iter().chain(b"xxxxxxxxxx\r");
    bytes.for_each(|&byte| keys.decode(byte, &mut |key| pressed.push(key)));
    assert_eq!(pressed.last(), Some(&Key::Enter), "the line went deaf");
    assert!(!keys.is_undecided());

    let mut editor = Editor::new();
    let mut row = begin(&mut editor);
    let mut typed = Some(String::new());
    for key in pressed {
        typed = match key {
            Key::Char(character) => typed.map(|text| text + character.encode_utf8(&mut [0; 4])),
            Key::Enter => typed,
            _ => None, // the line is no longer just what was typed
        };
        let mut out = String::new();
        let entered = editor.press(key, &mut out);
        row.write(out.strip_suffix('\n').unwrap_or(&out));
        let Some(entered) = entered else { continue };
        match entered {
            Ok(line) => {
                check_line(&line, &row);
                assert!(typed.is_none_or(|typed| typed == line));
            }
            Err(error) => assert!(error.characters > LINE_LIMIT),
        }
        row = begin(&mut editor);
        typed = Some(String::new());
    }
});

fn begin(editor: &mut Editor) -> Row {
    let (mut row, mut out) = (Row::default(), String::new());
    editor.begin(&mut out);
    row.write(&out);
    row
}

/// The end of the line is on the row, and it is read as a story or a command.
fn check_line(line: &str, row: &Row) {
    let length = line.chars().count();
    assert!(length <= LINE_LIMIT);
    let shown: String = row.characters[MARK.len()..row.cursor].iter().collect();
    assert!(line.ends_with(&shown), "{shown:?} is shown of {line:?}");
    assert!(shown.chars().count() >= length.min(WIDTH / 2 - 1), "{shown:?} is all that is shown of {line:?}");
    match command::parse(line) {
        Ok(Request::Story(story)) => assert_eq!(story, line.trim_ascii()),
        Ok(Request::Set { value, .. }) => assert!(line.contains(value)),
        Ok(_) => assert!(line.trim_ascii().starts_with('/')),
        Err(error) => assert!(error.to_string().contains('/')),
    }
}
