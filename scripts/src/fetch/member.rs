//! A file in a zip archive, such as a Python wheel is.
use std::{
    fs::File,
    io::{self, Read},
    path::Path,
};

use flate2::read::DeflateDecoder;
use rawzip::{CompressionMethod, FileReader, RECOMMENDED_BUFFER_SIZE, ZipArchive};

/// Why a file cannot be read from an archive.
#[derive(Debug, thiserror::Error)]
pub enum MemberError {
    /// The archive has no such file.
    #[error("there is no such file in it")]
    Missing,
    /// The file is not deflated, as the large files of wheels are.
    #[error("it is compressed by the method {0}, and only deflated files are read here")]
    Compression(CompressionMethod),
    /// This is no zip archive, or a broken one.
    #[error(transparent)]
    Zip(#[from] rawzip::Error),
    /// The archive cannot be read, or not to the file's end.
    #[error(transparent)]
    Read(#[from] io::Error),
}

/// Opens an archive.
///
/// # Errors
/// Where it is none.
pub fn open(archive: &Path) -> Result<ZipArchive<FileReader>, MemberError> {
    Ok(ZipArchive::from_file(File::open(archive)?, &mut [0; RECOMMENDED_BUFFER_SIZE])?)
}

/// The contents of the file at `path` in the archive, and how many bytes the archive says they are.
///
/// # Errors
/// Where the archive is broken or has no such file.
pub fn find<'a>(
    archive: &'a ZipArchive<FileReader>,
    path: &str,
) -> Result<(impl Read + use<'a>, u64), MemberError> {
    let mut buffer = vec![0; RECOMMENDED_BUFFER_SIZE];
    let mut entries = archive.entries(&mut buffer);
    while let Some(entry) = entries.next_entry()? {
        if entry.file_path().as_ref() == path.as_bytes() {
            if entry.compression_method() != CompressionMethod::DEFLATE {
                return Err(MemberError::Compression(entry.compression_method()));
            }
            let compressed = archive.get_entry(entry.wayfinder())?.reader();
            return Ok((DeflateDecoder::new(compressed), entry.uncompressed_size_hint()));
        }
    }
    Err(MemberError::Missing)
}
