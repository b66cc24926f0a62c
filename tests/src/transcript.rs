//! The serial log of a boot, taken apart: what the machine said, the trace, and the last line.
use protocol::trace::TraceRecord;

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
        // A record may stand between the bytes of one character: they are taken apart as bytes, one
        // character for each, and put together afterwards.
        let log: String = log.iter().map(|&byte| char::from(byte)).collect();
        let (trace, text) = TraceRecord::split(&log.replace("\r\n", "\n"));
        let text: Vec<u8> = text.chars().map(|character| character as u8).collect();
        Self { text: String::from_utf8_lossy(&text).into_owned(), trace }
    }

    /// The machine's reason for stopping: the last line that begins with `unreallm: `.
    pub fn reason(&self) -> Option<&str> {
        self.text.lines().rev().find(|line| line.starts_with("unreallm: "))
    }

    /// How many tokens and how many a second, from the line `[N tokens, X tok/s]` (`about X`, where the clock is not sure).
    pub fn summary(&self) -> Option<(u32, f64)> {
        self.text.lines().rev().find_map(|line| {
            let (tokens, rest) = line.strip_prefix('[')?.split_once(" tokens, ")?;
            let (rate, _) = rest.trim_start_matches("about ").split_once(" tok/s")?;
            Some((tokens.parse().ok()?, rate.parse().ok()?))
        })
    }
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
            TraceRecord { pos: 0, next: 403, logits_crc: 0x0BAD_CAFE },
            TraceRecord { pos: 1, next: 20, logits_crc: 1 },
        ];
        assert_eq!(transcript.trace, expected);
        assert_eq!(transcript.summary(), Some((2, 1234.5)));
        assert_eq!(transcript.reason(), None);
        let about = Transcript::parse(b"[256 tokens, about 87.5 tok/s, 11.42 ms a token]\r\n");
        assert_eq!(about.summary(), Some((256, 87.5)));
    }

    #[test]
    fn a_character_split_by_a_record_is_whole_again() {
        let log = b"\xC3\n~ 0 200 00000001\n\xA7a va\n~ 1 201 00000002\n";
        assert_eq!(Transcript::parse(log).text, "\u{e7}a va");
    }

    #[test]
    fn the_reason_is_the_last_one() {
        let transcript = Transcript::parse(b"unreallm: first\nstory\nunreallm: the disk failed\n");
        assert_eq!(transcript.reason(), Some("unreallm: the disk failed"));
    }
}
