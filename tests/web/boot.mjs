// Boots a page's disk image in v86 under Node, with the page's own code.
// node boot.mjs PAGE MODEL SETTINGS SECONDS: PAGE is the folder that `cargo unreal web` wrote, SETTINGS
// a JSON object of boot settings. Prints {"serial": text, "screen": [rows]} when the story has ended,
// the machine has stopped with a reason, or the time is up.
import fs from "node:fs";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { Parts, switchOn } from "../../scripts/web/machine.js";
import { putSettings } from "../../scripts/web/settings.js";

const [folder, name, settings, seconds] = process.argv.slice(2);
const file = (name) => new Uint8Array(fs.readFileSync(path.join(folder, name)));
const page = JSON.parse(fs.readFileSync(path.join(folder, "page.json")));
const model = page.models.find((model) => model.name === name);

const { V86 } = await import(pathToFileURL(path.resolve(folder, "v86/libv86.mjs")));
const wasm = await WebAssembly.compile(file("v86/v86.wasm"));
const parts = new Parts(V86, wasm, file("bios/bios.bin").buffer, file("bios/vgabios.bin").buffer);
const image = file(model.image);
putSettings(image, page.settings, JSON.parse(settings));

const serial = [];
const pc = await switchOn(parts, {
  image,
  memoryMib: model.memory_mib,
  screen: null,
  onSerial: (byte) => {
    serial.push(byte);
    if (byte === 10 && /^(\[\d+ tokens, |unreallm: )/m.test(Buffer.from(serial.slice(-400)).toString())) {
      setTimeout(end, 200); // the screen is drawn after the serial port has spoken
    }
  },
});
setTimeout(end, Number(seconds) * 1000);

function end() {
  const screen = pc.screen_adapter.get_text_screen();
  process.stdout.write(JSON.stringify({ serial: Buffer.from(serial).toString(), screen }), () => process.exit());
}
