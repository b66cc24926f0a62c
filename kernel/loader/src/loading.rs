//! The line that says how far the model is loaded.
use core::fmt;
use model::source::Source;
use pc::clock::Clock;
use pc::print;
use protocol::benchmark::Measured;
use protocol::decimal::Places;

/// The line is written anew after at least this many bytes, 1 MiB, and once for each mark of the bar.
const LEAST_STEP: u64 = 1 << 20;
/// Marks of the bar.
const MARKS: u64 = 20;

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

    /// Ends the line, after the model's checksum was found right: how much, how long, how fast.
    pub fn finish(self) -> Measured {
        let (bar, done, rate) = (self.bar(), Megabytes(self.done), self.rate());
        print!("\rloaded  {bar} {done} in {} ms, {rate}/s, checksum right\n", self.micros / 1000);
        Measured { count: self.done, micros: self.micros }
    }

    fn update(&mut self) {
        if self.done >= self.next_line {
            let (bar, done, total) = (self.bar(), Megabytes(self.done), Megabytes(self.total));
            print!("\rloading {bar} {done} of {total}, {}/s", self.rate());
            self.next_line = self.done + LEAST_STEP.max(self.total / MARKS);
        }
    }

    fn bar(&self) -> Bar {
        Bar(self.done * MARKS / self.total.max(1))
    }

    /// Bytes a second, reading and copying; the checksum is not in the time.
    fn rate(&self) -> Megabytes {
        Megabytes(self.done * 1_000_000 / self.micros.max(1))
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

/// So many marks of [`MARKS`].
struct Bar(u64);

impl fmt::Display for Bar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[")?;
        (0..MARKS).try_for_each(|mark| f.write_str(if mark < self.0 { "=" } else { " " }))?;
        f.write_str("]")
    }
}

/// Bytes in millions, with one decimal.
struct Megabytes(u64);

impl fmt::Display for Megabytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tenths = (self.0 + 50_000) / 100_000;
        write!(f, "{} MB", Places { number: tenths as u32, places: 1 })
    }
}
