//! The packed model: what the packer writes and the machine reads, front to back.
//!
//! docs/format.md has the layout byte by byte. [`layout`] says which tensors there are and in which
//! order, for packer and loader alike; [`PackedHeader`] is read first and tells all sizes; then
//! [`Packed::read_payload`] reads the tensors in one piece and checks their CRC. What an engine works with
//! are views of that piece.
pub(crate) mod header;
mod layout;
mod load;

pub use header::{HEADER_PREFIX, MAGIC, NAME_BYTES, PackedHeader, VERSION};
pub use layout::{Entry, Kind, TENSOR_ALIGN, layout};
pub use load::{Layer, Model, Packed, Text};

use crate::shape::ShapeError;
use crate::vocabulary::VocabularyError;

/// Why a packed model cannot be used. `E` is the source's error.
#[derive(Debug, thiserror::Error)]
pub enum PackedError<E> {
    /// The source could not be read.
    #[error("{0}")]
    Read(E),
    /// The first bytes are not a packed model's.
    #[error("this is no packed model, write the disk image again")]
    Magic,
    /// A version that this program does not know.
    #[error(
        "the packed model has version {0}, this program reads version {VERSION}; pack the checkpoint again"
    )]
    Version(u32),
    /// A header of an impossible size.
    #[error("the packed model's header says it has {0} bytes")]
    HeaderSize(u32),
    /// A CRC does not match.
    #[error(
        "the packed model's {part} is damaged (CRC {found:08x}, expected {expected:08x}), \
         write the disk image again"
    )]
    Crc {
        /// What is damaged.
        part: &'static str,
        /// The CRC that the file gives.
        expected: u32,
        /// The CRC of what is there.
        found: u32,
    },
    /// The name is not text.
    #[error("the packed model's name is not text")]
    Name,
    /// The shape cannot be run.
    #[error("{0}")]
    Shape(ShapeError),
    /// Fraction bits or ε that the engine's arithmetic does not expect.
    #[error("the packed model's norms are out of range, pack the checkpoint again")]
    Norm,
    /// The tensor directory is not the one that belongs to the shape.
    #[error("the packed model's tensor {entry} does not fit the shape, pack the checkpoint again")]
    Directory {
        /// The first entry that is wrong.
        entry: usize,
    },
    /// The vocabulary is damaged or of another model.
    #[error("{0}")]
    Vocabulary(VocabularyError),
    /// A number that no packer writes, although the CRC is right.
    #[error("the packed model's {} holds a number out of range, pack the checkpoint again", .0.name())]
    Number(Kind),
    /// No memory for the tensors.
    #[error("there is no memory for the model's {bytes} bytes")]
    OutOfMemory {
        /// Their size in bytes.
        bytes: u64,
    },
}

#[cfg(test)]
mod tests;
