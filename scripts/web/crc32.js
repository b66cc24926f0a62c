// CRC-32 (ISO-HDLC, as in zip), of the settings' text.

/** The CRC-32 of bytes, as an unsigned number. */
export function crc32(bytes) {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) {
      // 0xEDB88320: the polynomial 0x04C11DB7 with its bits reversed.
      crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
    }
  }
  return ~crc >>> 0;
}
