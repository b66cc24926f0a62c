//! The trace: what each forward pass chose, so that machine and host can be compared number by
//! number instead of by text.
use alloc::string::String;
use core::fmt;
use model::generate::Step;

/// One forward pass, as the machine prints it on serial: `\n~ {pos} {next} {crc:08x}\n`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TraceRecord {
    /// Position of the token that went in, from 0.
    pub pos: usize,
    /// The token that comes next: the prompt's, or the sampled one.
    pub next: u32,
    /// CRC-32 of the logits, each as four bytes, little-endian.
    pub logits_crc: u32,
}

impl fmt::Display for TraceRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\n~ {} {} {:08x}\n", self.pos, self.next, self.logits_crc)
    }
}

impl TraceRecord {
    /// The record of a step, where a trace was asked for.
    pub fn of(step: &Step) -> Option<Self> {
        step.logits_crc.map(|logits_crc| Self { pos: step.pos, next: step.next, logits_crc })
    }

    /// Reads the line between the two newlines, `None` if it is no trace record.
    pub fn parse(line: &str) -> Option<Self> {
        let mut words = line.strip_prefix("~ ")?.split(' ');
        let record = Self {
            pos: words.next()?.parse().ok()?,
            next: words.next()?.parse().ok()?,
            logits_crc: u32::from_str_radix(words.next()?, 16).ok()?,
        };
        words.next().is_none().then_some(record)
    }

    /// Takes the records out of a serial log, which leaves the text as it is without a trace.
    pub fn split(log: &str) -> (alloc::vec::Vec<Self>, String) {
        let mut records = alloc::vec::Vec::new();
        let mut text = String::new();
        let mut rest = log;
        while let Some(start) = rest.find("\n~ ") {
            let line = &rest[start + 1..];
            let end = line.find('\n').unwrap_or(line.len());
            let line_end = line.as_bytes()[..end].ends_with(b"\r") as usize;
            if let Some(record) = Self::parse(&line[..end - line_end]) {
                text.push_str(rest[..start].strip_suffix('\r').unwrap_or(&rest[..start]));
                records.push(record);
                rest = line.get(end + 1..).unwrap_or("");
            } else {
                text.push_str(&rest[..start + 1]);
                rest = line;
            }
        }
        text.push_str(rest);
        (records, text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;

    #[test]
    fn records_go_and_the_text_stays() {
        let first = TraceRecord { pos: 0, next: 403, logits_crc: 0xDEAD_BEEF };
        let second = TraceRecord { pos: 1, next: 407, logits_crc: 7 };
        let log = format!("Once{first} upon\n~ home{second} a");
        let (records, text) = TraceRecord::split(&log);
        assert_eq!(records, [first, second]);
        assert_eq!(text, "Once upon\n~ home a");
    }
}
