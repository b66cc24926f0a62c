//! The lines that were typed before.
use alloc::string::String;
use alloc::vec::Vec;

/// Lines that are kept.
pub const HISTORY_LINES: usize = 32;

/// The lines, the oldest first, and where in them Up and Down have gone.
#[derive(Debug, Default)]
pub struct History {
    lines: Vec<String>,
    /// How far back from the line that is being typed.
    back: usize,
    /// That line, while an older one is shown.
    draft: String,
}

impl History {
    /// Nothing was typed yet.
    pub const fn new() -> Self {
        Self { lines: Vec::new(), back: 0, draft: String::new() }
    }

    /// Keeps a line that was entered, unless it is empty or the same as the one before.
    pub fn push(&mut self, line: &str) {
        self.back = 0;
        if line.is_empty() || self.lines.last().is_some_and(|last| last == line) {
            return;
        }
        if self.lines.len() == HISTORY_LINES {
            self.lines.remove(0);
        }
        self.lines.push(line.into());
    }

    /// The line before; `None` at the oldest. `line` is what is shown now.
    pub fn older(&mut self, line: &str) -> Option<&str> {
        let index = self.lines.len().checked_sub(self.back + 1)?;
        if self.back == 0 {
            self.draft = line.into();
        }
        self.back += 1;
        Some(&self.lines[index])
    }

    /// The line after; `None` at the one that is being typed.
    pub fn newer(&mut self) -> Option<&str> {
        self.back = self.back.checked_sub(1)?;
        let index = self.lines.len() - self.back;
        Some(self.lines.get(index).unwrap_or(&self.draft))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn back_and_forth_ends_with_the_draft() {
        let mut history = History::new();
        assert_eq!(history.older("draft"), None);
        ["one", "two", "two", ""].into_iter().for_each(|line| history.push(line));
        assert_eq!(history.newer(), None);
        assert_eq!(history.older("draft"), Some("two"));
        assert_eq!(history.older("two"), Some("one"));
        assert_eq!(history.older("one"), None);
        assert_eq!(history.newer(), Some("two"));
        assert_eq!(history.newer(), Some("draft"));
        assert_eq!(history.newer(), None);
    }

    #[test]
    fn the_oldest_lines_are_forgotten() {
        let mut history = History::new();
        (0..HISTORY_LINES + 5).for_each(|n| history.push(&alloc::format!("{n}")));
        let mut count = 0;
        while history.older("").is_some() {
            count += 1;
        }
        assert_eq!(count, HISTORY_LINES);
        assert_eq!(history.newer(), Some("6"));
    }
}
