//! CRC-32 as in zip and PNG (ISO-HDLC), over everything that comes from the disk.
use crc::{CRC_32_ISO_HDLC, Crc, Table};

/// A byte a step, for what is small: one table of 1 KB.
pub static CRC32: Crc<u32, Table<1>> = Crc::<u32, Table<1>>::new(&CRC_32_ISO_HDLC);

/// Sixteen bytes a step, for whole models: in QEMU's translator 137 MB are loaded and checked in 0.8 s, with a byte a
/// step in 1.5 s. The sixteen tables take a quarter of the loader's data segment; the kernel does without.
pub static CRC32_OF_MANY: Crc<u32, Table<16>> = Crc::<u32, Table<16>>::new(&CRC_32_ISO_HDLC);

/// The CRC-32 of `bytes`.
pub fn crc32(bytes: &[u8]) -> u32 {
    CRC32.checksum(bytes)
}

/// The CRC-32 of pieces, as if they were one.
pub fn crc32_of(pieces: &[&[u8]]) -> u32 {
    let mut digest = CRC32.digest();
    pieces.iter().for_each(|piece| digest.update(piece));
    digest.finalize()
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
        assert_eq!(super::crc32_of(&[b"1234", b"", b"56789"]), 0xCBF4_3926);
    }
}
