// Takes the serial port's bytes apart: text for the terminal, trace records for the meter.
//
// After each forward pass a machine that traces sends "\n~ POSITION NEXT CRC\n", with carriage returns
// where its serial port adds them. The story's text goes on between these records as if they were
// not there.

/** What may still become a record. */
const BEGINNING = /^(\r|\r?\n(~( (\d{1,10}( (\d{1,10}( ([0-9a-f]{0,7}|[0-9a-f]{8}\r?))?)?)?)?)?)?)$/;
/** A record. */
const RECORD = /^\r?\n~ (\d{1,10}) (\d{1,10}) ([0-9a-f]{8})\r?\n$/;
/** A line end that nothing follows for this long is text, in milliseconds. */
const PATIENCE = 200;

/** Splits a stream of bytes. */
export class TraceFilter {
  /**
   * @param {(bytes: Uint8Array) => void} onText
   * @param {(record: {position: number, next: number, crc: string}) => void} onRecord
   */
  constructor(onText, onRecord) {
    this.onText = onText;
    this.onRecord = onRecord;
    this.held = "";
    this.timer = null;
  }

  /** Takes the next byte. */
  push(byte) {
    clearTimeout(this.timer);
    this.take(String.fromCharCode(byte));
    if (this.held !== "") this.timer = setTimeout(() => this.flush(), PATIENCE);
  }

  take(character) {
    const candidate = this.held + character;
    const record = RECORD.exec(candidate);
    if (record) {
      this.held = "";
      this.onRecord({ position: Number(record[1]), next: Number(record[2]), crc: record[3] });
    } else if (BEGINNING.test(candidate)) {
      this.held = candidate;
    } else if (this.held !== "") {
      this.flush();
      this.take(character);
    } else {
      this.emit(character);
    }
  }

  /** Gives out what was held back. */
  flush() {
    if (this.held === "") return;
    const held = this.held;
    this.held = "";
    this.emit(held);
  }

  emit(text) {
    this.onText(Uint8Array.from(text, (character) => character.charCodeAt(0)));
  }
}
