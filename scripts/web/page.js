// The page: load the parts, choose a story, switch the PC on.
import { Terminal } from "./xterm/xterm.mjs";
import { FitAddon } from "./xterm/addon-fit.mjs";
import { Downloads, request } from "./download.js";
import { MOST_MEMORY_MIB, Parts, switchOn } from "./machine.js";
import { Meter } from "./meter.js";
import { putSettings } from "./settings.js";
import { TraceFilter } from "./trace.js";
import { Trouble, clear, show } from "./trouble.js";

const BEGINNINGS = ["", "Once upon a time", "Lily and her dog", "The little robot", "One night, the moon"];
/** The machine's last line of a story. */
const SUMMARY = /^\[(\d+) tokens, (?:about )?([\d.]+) tok\/s/;

const element = (id) => document.getElementById(id);
const meter = new Meter({ tokens: element("tokens"), rate: element("rate"), place: element("place") });

/** What the machine has said, for the browser's console and for tests: the trace of the last story,
 * and all text since it was switched on. */
const said = { trace: [], text: "", booted: 0 };
window.unreallm = said;

let page; // page.json: files and models
let parts; // what every boot shares
let pc = null; // the machine that runs
const images = new Map(); // disk images by path, as they were loaded
const terminal = openTerminal();

start().catch(show);

async function start() {
  if (typeof WebAssembly !== "object") {
    throw new Trouble("This browser has no WebAssembly, which the PC emulator is made of. It may be switched off by a high-security mode; any browser from 2018 or later has it.");
  }
  page = await (await request("page.json")).json();
  fitScreen();
  fillForm();
  wireKeyboard();
  await boot();
}

/** Loads what is missing, and boots what the form says. */
async function boot() {
  clear();
  element("choices").querySelector("[type=submit]").disabled = true;
  try {
    const model = chosenModel();
    if (model.memory_mib > MOST_MEMORY_MIB) {
      throw new Trouble(`${model.name} is too large for the page: it needs a PC with ${model.memory_mib} MiB of memory, and a browser's tab has room for ${MOST_MEMORY_MIB} MiB. 'cargo unreal run ${model.name}' runs it in QEMU.`);
    }
    await load(model);
    await pc?.destroy();
    pc = await run(model);
    pc.keyboard_set_enabled(document.activeElement === element("keyboard"));
  } finally {
    element("choices").querySelector("[type=submit]").disabled = false;
  }
}

/** Loads the emulator and a model's disk image, with a progress bar. */
async function load(model) {
  const downloads = new Downloads(page.files, (done, total) => {
    status(`Loading: ${(done / 1e6).toFixed(1)} of ${(total / 1e6).toFixed(1)} MB`);
    element("place").max = total;
    element("place").value = done;
  });
  const wanted = [loadImage(downloads, model)];
  if (!parts) wanted.push(loadParts(downloads));
  await Promise.all(wanted);
}

async function loadImage(downloads, model) {
  if (!images.has(model.image)) images.set(model.image, await downloads.get(model.image));
}

async function loadParts(downloads) {
  const emulator = import("./v86/libv86.mjs").catch(() => {
    throw new Trouble("The file v86/libv86.mjs did not load. Is the whole folder there?");
  });
  const [{ V86 }, wasm, bios, vgaBios] = await Promise.all([
    emulator,
    downloads.get("v86/v86.wasm").then(compile),
    downloads.get("bios/bios.bin"),
    downloads.get("bios/vgabios.bin"),
  ]);
  parts = new Parts(V86, wasm, bios, vgaBios);
}

function compile(bytes) {
  return WebAssembly.compile(bytes).catch((error) => {
    throw new Trouble(`The browser refuses the emulator's WebAssembly (${error.message}); a newer browser would take it.`);
  });
}

/** Switches a PC on with the form's story. */
function run(model) {
  const image = copy(images.get(model.image), model);
  putSettings(image, page.settings, chosenSettings());
  terminal.reset();
  said.trace = [];
  said.text = "";
  heard = 0;
  said.booted += 1;
  const steps = page.steps || model.context;
  meter.limit = Math.min(steps, model.context);
  meter.reset(meter.limit);
  status("Booting");
  const filter = new TraceFilter(hear, (record) => {
    if (record.position === 0) {
      said.trace = [];
      status("Telling a story");
    }
    said.trace.push(record);
    meter.pass(record.position);
  });
  return switchOn(parts, {
    image,
    memoryMib: model.memory_mib,
    screen: element("screen"),
    onSerial: (byte) => filter.push(byte),
  });
}

/** A disk that the machine may write on. */
function copy(image, model) {
  try {
    return new Uint8Array(image.slice(0));
  } catch {
    throw new Trouble(`${model.name} is too large for this browser: there is no memory for its disk of ${(model.bytes / 1e6).toFixed(0)} MB.`);
  }
}

const decoder = new TextDecoder();
let heard = 0; // where in said.text the line begins that has not ended

/** Text from the serial port. */
function hear(bytes) {
  terminal.write(bytes);
  said.text += decoder.decode(bytes, { stream: true });
  for (let end; (end = said.text.indexOf("\n", heard)) >= 0; heard = end + 1) {
    hearLine(said.text.slice(heard, end));
  }
}

/** A whole line: each counts once, for a summary stays in sight while the next story is told. */
function hearLine(line) {
  const summary = SUMMARY.exec(line);
  if (summary) {
    meter.summary(Number(summary[1]), Number(summary[2]));
    status("The end");
  } else if (/^unreallm: /m.test(line)) {
    status("The machine has stopped, and says why");
  }
}

function openTerminal() {
  const terminal = new Terminal({
    convertEol: true,
    cursorBlink: true,
    fontSize: 14,
    fontFamily: getComputedStyle(document.documentElement).getPropertyValue("--mono"),
    scrollback: 10000,
    theme: { background: "#05060a", foreground: "#d9dee7", cursor: "#ffb454" },
  });
  const fit = new FitAddon();
  terminal.loadAddon(fit);
  terminal.open(element("terminal"));
  fit.fit();
  new ResizeObserver(() => fit.fit()).observe(element("terminal"));
  const encoder = new TextEncoder();
  terminal.onData((text) => pc?.serial_send_bytes(0, encoder.encode(text)));
  return terminal;
}

/** Keys go to the machine only while its screen has been clicked, so that the form stays usable. */
function wireKeyboard() {
  const keyboard = element("keyboard");
  keyboard.addEventListener("focus", () => pc?.keyboard_set_enabled(true));
  keyboard.addEventListener("blur", () => pc?.keyboard_set_enabled(false));
  keyboard.addEventListener("input", () => (keyboard.value = ""));
}

/** Tells the style sheet how wide the screen's font is, so that 80 characters fill the screen. */
function fitScreen() {
  const context = document.createElement("canvas").getContext("2d");
  context.font = `100px ${getComputedStyle(document.documentElement).getPropertyValue("--mono")}`;
  element("screen").style.setProperty("--advance", context.measureText("M").width / 100);
}

/** The form, with what the address asks for: ?model=, prompt=, temperature=, seed=. */
function fillForm() {
  const query = new URLSearchParams(location.search);
  for (const model of page.models) element("model").add(new Option(model.name, model.name));
  if (query.has("model")) element("model").value = query.get("model");
  if (!element("model").value) {
    throw new Trouble(`This page has no model '${query.get("model")}'; it has ${page.models.map((m) => m.name).join(", ")}.`);
  }
  for (const id of ["prompt", "temperature", "seed"]) if (query.has(id)) element(id).value = query.get(id);
  for (const beginning of BEGINNINGS) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = beginning || "(nothing)";
    button.addEventListener("click", () => {
      element("prompt").value = beginning;
      boot().catch(show);
    });
    element("beginnings").append(button);
  }
  const describe = () => {
    element("about-model").textContent = chosenModel().about;
    element("temperature-value").textContent = element("temperature").value;
  };
  element("choices").addEventListener("input", describe);
  element("choices").addEventListener("submit", (event) => {
    event.preventDefault();
    boot().catch(show);
  });
  describe();
}

function chosenModel() {
  return page.models.find((model) => model.name === element("model").value);
}

function chosenSettings() {
  return {
    prompt: element("prompt").value,
    temperature: element("temperature").value,
    seed: element("seed").value || "1",
    trace: 1,
  };
}

function status(text) {
  element("status").textContent = text;
}
