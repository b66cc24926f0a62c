// Runs parts of the page under Node: one JSON document in, one out.
// {"sectors": hex, "changes": [settings]} gives {"sectors": [hex or a sentence]};
// {"log": hex} gives {"text": hex, "records": [[position, next, crc]]}.
import fs from "node:fs";
import { putSettings } from "../../scripts/web/settings.js";
import { TraceFilter } from "../../scripts/web/trace.js";
import { Trouble } from "../../scripts/web/trouble.js";

const asked = JSON.parse(fs.readFileSync(0));
console.log(JSON.stringify(asked.log === undefined ? settings(asked) : trace(asked)));
process.exit(); // without waiting for the filter's timer

function settings({ sectors, changes }) {
  return {
    sectors: changes.map((change) => {
      const image = new Uint8Array(Buffer.from(sectors, "hex"));
      try {
        putSettings(image, { offset: 0, bytes: image.length }, change);
      } catch (error) {
        if (error instanceof Trouble) return error.message;
        throw error;
      }
      return Buffer.from(image).toString("hex");
    }),
  };
}

function trace({ log }) {
  const text = [];
  const records = [];
  const filter = new TraceFilter(
    (bytes) => text.push(...bytes),
    ({ position, next, crc }) => records.push([position, next, crc]),
  );
  for (const byte of Buffer.from(log, "hex")) filter.push(byte);
  filter.flush();
  return { text: Buffer.from(text).toString("hex"), records };
}
