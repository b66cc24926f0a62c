// The settings sectors of a disk image: how the page hands a prompt to the machine.
//
// They hold `key=value` lines behind a first line with the CRC-32 of the rest: lines and NULs.
// The page changes some values and leaves every other line as the host program wrote it, so that
// keys it does not know keep working.
import { crc32 } from "./crc32.js";
import { Trouble } from "./trouble.js";

const FIRST_LINE = "unreallm-settings crc=";

/**
 * Puts settings into a disk image, in place.
 *
 * @param {Uint8Array} image the disk image
 * @param {{offset: number, bytes: number}} place where its settings sectors are
 * @param {Object<string, string|number>} changes new values by key
 * @throws {Trouble} if the image has no settings or they become too long
 */
export function putSettings(image, place, changes) {
  const sectors = image.subarray(place.offset, place.offset + place.bytes);
  const lines = readLines(sectors);
  for (const [key, value] of Object.entries(changes)) {
    const line = `${key}=${escape(String(value))}`;
    const at = lines.findIndex((old) => old.startsWith(`${key}=`));
    if (at < 0) lines.push(line);
    else lines[at] = line;
  }
  const body = new TextEncoder().encode(lines.map((line) => line + "\n").join(""));
  const start = FIRST_LINE.length + 8 + 1;
  const over = start + body.length - place.bytes;
  if (over > 0) {
    throw new Trouble(`The beginning of the story is ${over} bytes too long for the disk's settings; a shorter one fits.`);
  }
  sectors.fill(0);
  sectors.set(body, start);
  const crc = crc32(sectors.subarray(start)).toString(16).padStart(8, "0");
  sectors.set(new TextEncoder().encode(`${FIRST_LINE}${crc}\n`));
}

/** The lines behind the first. */
function readLines(sectors) {
  const end = sectors.indexOf(0);
  const text = new TextDecoder().decode(end < 0 ? sectors : sectors.subarray(0, end));
  if (!text.startsWith(FIRST_LINE)) {
    throw new Trouble("The disk image has no settings where they should be; write the page again.");
  }
  return text.split("\n").slice(1).filter((line) => line !== "");
}

/** A value on one line. A NUL would end the settings, so there is none. */
function escape(text) {
  return text.replaceAll("\\", "\\\\").replaceAll("\n", "\\n").replaceAll("\r", "\\r").replaceAll("\0", "");
}
