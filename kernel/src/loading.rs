//! The line that says how far the model is loaded.
use crate::clock::Clock;
use crate::print;
use core::fmt;
use model::source::Source;

/// The line is written anew after at least this many bytes: 1 MiB, and no more than 20 times.
const LEAST_STEP: u64 = 1 << 20;
const MOST_LINES: u64 = 20;

/// A source that measures the time spent in it and shows its progress.
pub struct Loading<'c, S> {
    /// The source behind.
    pub inner: S,
    clock: &'c Clock,
    done: u64,
    total: u64,
    next_line: u64,
    micros: u64,
}

impl<'c, S: Source> Loading<'c, S> {
    /// Nothing read yet.
    pub fn new(inner: S, clock: &'c Clock) -> Self {
        Self { inner, clock, done: 0, total: 0, next_line: u64::MAX, micros: 0 }
    }

    /// Begins to show the progress, now that the total is known.
    pub fn show(&mut self, total: u64) {
        self.total = total;
        self.next_line = self.done;
        self.update();
    }

    /// Ends the line: how much, how long, how fast.
    pub fn finish(self) {
        let ms = self.micros / 1000;
        let rate = Megabytes(self.done * 1_000_000 / self.micros.max(1));
        print!("\rloaded  {} in {ms} ms, {rate}/s\n", Megabytes(self.done));
    }

    fn update(&mut self) {
        if self.done >= self.next_line {
            print!("\rloading {} of {}", Megabytes(self.done), Megabytes(self.total));
            self.next_line = self.done + LEAST_STEP.max(self.total / MOST_LINES);
        }
    }
}

impl<S: Source> Source for Loading<'_, S> {
    type Error = S::Error;

    fn read(&mut self, out: &mut [u8]) -> Result<(), S::Error> {
        // Large tensors in pieces, so that the line moves.
        for piece in out.chunks_mut(LEAST_STEP as usize) {
            let start = self.clock.now();
            self.inner.read(piece)?;
            self.micros += self.clock.micros_since(start);
            self.done += piece.len() as u64;
            self.update();
        }
        Ok(())
    }
}

/// Bytes in millions, with one decimal.
struct Megabytes(u64);

impl fmt::Display for Megabytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tenths = (self.0 + 50_000) / 100_000;
        write!(f, "{}.{} MB", tenths / 10, tenths % 10)
    }
}
