//! Where a packed model comes from: a disk in the machine, a file or a slice on the host.

/// Bytes in order, from the start of the packed model on. The reader never goes back.
pub trait Source {
    /// What can go wrong while reading.
    type Error;

    /// Fills `out` with the next bytes, all of them or an error.
    fn read(&mut self, out: &mut [u8]) -> Result<(), Self::Error>;
}

/// The source ended before the packed model did.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the packed model is cut short")]
pub struct EndOfSource;

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
