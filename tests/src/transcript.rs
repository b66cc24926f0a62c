//! The serial log of a boot, taken apart: what the machine said, the story, and the trace.
//!
//! A machine that traces sends, after each forward pass, `\n~ POSITION NEXT CRC\n`: the position
//! and the chosen token in decimal, the CRC-32 of the logits as eight hexadecimal digits. The
//! story's text goes on between these lines as if they were not there.

/// One forward pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceRecord {
    /// Position of the input token in the context.
    pub position: u32,
    /// The token that was chosen.
    pub next: u32,
    /// CRC-32 of the logits.
    pub crc: u32,
}

/// A serial log without its trace, and the trace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Transcript {
    /// Everything but the trace records. Line ends are `\n`.
    pub text: String,
    /// The trace records in order.
    pub trace: Vec<TraceRecord>,
}

impl Transcript {
    /// Takes a log apart.
    pub fn parse(log: &[u8]) -> Self {
        let log = String::from_utf8_lossy(log).replace("\r\n", "\n");
        let mut transcript = Self::default();
        let mut rest = log.as_str();
        while let Some((before, record, after)) = next_record(rest) {
            transcript.text.push_str(before);
            transcript.trace.push(record);
            rest = after;
        }
        transcript.text.push_str(rest);
        transcript
    }

    /// The machine's reason for stopping: the last line that begins with `unreallm: `.
    pub fn reason(&self) -> Option<&str> {
        self.text.lines().rev().find(|line| line.starts_with("unreallm: "))
    }

    /// How many tokens and how many a second, from the line `[N tokens, X tok/s]`.
    pub fn summary(&self) -> Option<(u32, f64)> {
        self.text.lines().rev().find_map(|line| {
            let (tokens, rest) = line.strip_prefix('[')?.split_once(" tokens, ")?;
            let (rate, _) = rest.split_once(" tok/s")?;
            Some((tokens.parse().ok()?, rate.parse().ok()?))
        })
    }
}

/// The first trace record in `text`, and what is before and after it.
fn next_record(text: &str) -> Option<(&str, TraceRecord, &str)> {
    const START: &str = "\n~ ";
    let mut from = 0;
    while let Some(at) = text[from..].find(START) {
        let start = from + at;
        let line_start = start + START.len();
        let line_end = line_start + text[line_start..].find('\n')?;
        if let Some(record) = record(&text[line_start..line_end]) {
            return Some((&text[..start], record, &text[line_end + 1..]));
        }
        from = line_start;
    }
    None
}

/// `POSITION NEXT CRC`.
fn record(line: &str) -> Option<TraceRecord> {
    let mut fields = line.split(' ');
    let record = TraceRecord {
        position: fields.next()?.parse().ok()?,
        next: fields.next()?.parse().ok()?,
        crc: fields.next().filter(|crc| crc.len() == 8).and_then(|crc| u32::from_str_radix(crc, 16).ok())?,
    };
    fields.next().is_none().then_some(record)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_trace_leaves_the_story_whole() {
        let log = b"banner\r\nOnce\n~ 0 403 0badcafe\n upon\n\n~ 1 20 00000001\n\na time\n[2 tokens, 1234.5 tok/s]\n";
        let transcript = Transcript::parse(log);
        assert_eq!(transcript.text, "banner\nOnce upon\n\na time\n[2 tokens, 1234.5 tok/s]\n");
        let expected = [
            TraceRecord { position: 0, next: 403, crc: 0x0BAD_CAFE },
            TraceRecord { position: 1, next: 20, crc: 1 },
        ];
        assert_eq!(transcript.trace, expected);
        assert_eq!(transcript.summary(), Some((2, 1234.5)));
        assert_eq!(transcript.reason(), None);
    }

    #[test]
    fn what_only_looks_like_a_record_is_text() {
        for text in
            ["a\n~ tilde\nb", "a\n~ 1 2\nb", "a\n~ 1 2 123\nb", "a\n~ 1 2 00000000 4\nb", "a\n~ 1 2 00000000"]
        {
            assert_eq!(Transcript::parse(text.as_bytes()), Transcript { text: text.into(), trace: vec![] });
        }
    }

    #[test]
    fn two_records_in_a_row() {
        let transcript = Transcript::parse(b"\n~ 0 1 00000000\n\n~ 1 2 ffffffff\n");
        assert_eq!(transcript.trace.len(), 2);
        assert_eq!(transcript.text, "");
    }

    #[test]
    fn the_reason_is_the_last_one() {
        let transcript = Transcript::parse(b"unreallm: first\nstory\nunreallm: the disk failed\n");
        assert_eq!(transcript.reason(), Some("unreallm: the disk failed"));
    }
}
