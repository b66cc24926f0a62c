//! What the benchmark measures, and how the machine reports it to the host.
use core::fmt;
use model::phase::Phase;

/// Something that was counted, and the time it took.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Measured {
    /// Bytes or tokens.
    pub count: u64,
    /// Microseconds.
    pub micros: u64,
}

impl Measured {
    /// How many a second.
    pub fn rate(self) -> f64 {
        self.count as f64 * 1e6 / self.micros.max(1) as f64
    }
}

/// What one boot of the benchmark found.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Report {
    /// Bytes read from the disk.
    pub load: Measured,
    /// Tokens of a prompt.
    pub prompt: Measured,
    /// Tokens of a story that begins at position 0, both consoles on.
    pub story: Measured,
    /// Bytes of one pass over all matrices by 16-byte loads ([`model::load_only`]).
    pub load_only: Measured,
    /// The tokens of another story, and the time of each phase in it.
    pub phases: [Measured; Phase::ALL.len()],
}

/// What each line of a report begins with.
const MARK: &str = "measured";

impl Report {
    /// Each value with its name.
    fn entries(&mut self) -> impl Iterator<Item = (&'static str, &mut Measured)> {
        let Self { load, prompt, story, load_only, phases } = self;
        let phases = Phase::ALL.map(Phase::name).into_iter().zip(phases);
        [("load", load), ("prompt", prompt), ("story", story), ("load-only", load_only)]
            .into_iter()
            .chain(phases)
    }

    /// Reads a report out of all that came from the serial port. `None` where a line is missing.
    pub fn find(log: &str) -> Option<Self> {
        let mut report = Self::default();
        for (name, value) in report.entries() {
            let line =
                log.lines().find_map(|line| line.strip_prefix(MARK)?.trim_start().strip_prefix(name))?;
            let (count, micros) = line.trim().split_once(' ')?;
            *value = Measured { count: count.parse().ok()?, micros: micros.parse().ok()? };
        }
        Some(report)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut report = *self;
        report
            .entries()
            .try_for_each(|(name, Measured { count, micros })| writeln!(f, "{MARK} {name} {count} {micros}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;

    #[test]
    fn a_report_is_found_again() {
        let mut report = Report::default();
        for (i, (_, value)) in report.entries().enumerate() {
            *value = Measured { count: i as u64 + 1, micros: 1000 * i as u64 };
        }
        let log = format!("loaded\r\n{report}measured time\n").replace('\n', "\r\n");
        assert_eq!(Report::find(&log), Some(report));
        assert_eq!(Report::find(&log.replace("measured load-only", "load-only")), None);
        assert_eq!(Report::find(&log.replace("measured ffn 7 ", "measured ffn x ")), None);
    }
}
