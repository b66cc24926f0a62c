//! Where a packed model comes from: a disk in the machine, a file or a slice on the host.
use core::fmt;

/// Bytes in order, from the start of the packed model on. The reader never goes back.
pub trait Source {
    /// What can go wrong while reading.
    type Error;

    /// Fills `out` with the next bytes, all of them or an error.
    fn read(&mut self, out: &mut [u8]) -> Result<(), Self::Error>;
}

/// The source ended before the packed model did.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct EndOfSource;

impl fmt::Display for EndOfSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the packed model is cut short")
    }
}

impl core::error::Error for EndOfSource {}

/// A packed model in memory.
impl Source for &[u8] {
    type Error = EndOfSource;

    fn read(&mut self, out: &mut [u8]) -> Result<(), EndOfSource> {
        let (head, tail) = self.split_at_checked(out.len()).ok_or(EndOfSource)?;
        out.copy_from_slice(head);
        *self = tail;
        Ok(())
    }
}

/// A packed model in a file or any other reader.
#[cfg(feature = "std")]
pub struct Reader<R>(pub R);

#[cfg(feature = "std")]
impl<R: std::io::Read> Source for Reader<R> {
    type Error = std::io::Error;

    fn read(&mut self, out: &mut [u8]) -> std::io::Result<()> {
        self.0.read_exact(out)
    }
}
