//! CRC-32 as in zip and PNG (ISO-HDLC), over everything that comes from the disk.
use crc::{CRC_32_ISO_HDLC, Crc, Digest, Table};

/// A byte a step: sixteen tables would double the speed, and take a quarter of the data segment.
type OneTable = Table<1>;

static CRC32: Crc<u32, OneTable> = Crc::<u32, OneTable>::new(&CRC_32_ISO_HDLC);

/// A CRC-32 that grows with the data.
pub struct Crc32(Digest<'static, u32, OneTable>);

impl Crc32 {
    /// The CRC of nothing yet.
    pub fn new() -> Self {
        Self(CRC32.digest())
    }

    /// Adds bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The CRC of all bytes added.
    pub fn finish(self) -> u32 {
        self.0.finalize()
    }
}

impl Default for Crc32 {
    fn default() -> Self {
        Self::new()
    }
}

/// The CRC-32 of `bytes`.
pub fn crc32(bytes: &[u8]) -> u32 {
    CRC32.checksum(bytes)
}

/// The CRC-32 of logits, each as four bytes, little-endian.
pub fn logits_crc(logits: &[i32]) -> u32 {
    crc32(bytemuck::cast_slice(logits))
}

#[cfg(test)]
mod tests {
    #[test]
    fn crc_of_logits_is_over_little_endian_bytes() {
        assert_eq!(super::logits_crc(&[0x0403_0201, -1]), super::crc32(&[1, 2, 3, 4, 255, 255, 255, 255]));
    }

    #[test]
    fn check_value_of_the_standard() {
        assert_eq!(super::crc32(b"123456789"), 0xCBF4_3926);
    }
}
