// The PC: v86 with SeaBIOS, a disk image, a VGA screen and a serial port.
import { Trouble } from "./trouble.js";

const MIB = 1 << 20;
/** The most memory that the page gives the machine. v86 takes powers of two, and a browser's tab has
 * little more than 2 GiB beside it. */
export const MOST_MEMORY_MIB = 1024;
/** The VGA adapter's memory: a text screen needs 4 KB, v86's usual 8 MiB serve. */
const VGA_MEMORY = 8 * MIB;

/** The parts that every boot shares. */
export class Parts {
  /**
   * @param {typeof import("v86").V86} V86
   * @param {WebAssembly.Module} wasm v86's own program, compiled
   * @param {ArrayBuffer} bios
   * @param {ArrayBuffer} vgaBios
   */
  constructor(V86, wasm, bios, vgaBios) {
    Object.assign(this, { V86, wasm, bios, vgaBios });
  }
}

/**
 * Switches a PC on.
 *
 * @param {Parts} parts
 * @param {{image: Uint8Array, memoryMib: number, screen: ?HTMLElement, onSerial: (byte: number) => void}} setup
 * @returns {Promise<object>} the v86 instance, running
 */
export function switchOn(parts, { image, memoryMib, screen, onSerial }) {
  return new Promise((resolve, reject) => {
    const pc = new parts.V86({
      wasm_fn: (imports) => instantiate(parts.wasm, imports).catch((error) => (reject(error), new Promise(() => {}))),
      bios: { buffer: parts.bios.slice(0) },
      vga_bios: { buffer: parts.vgaBios.slice(0) },
      hda: { buffer: image.buffer },
      memory_size: memoryMib * MIB,
      vga_memory_size: VGA_MEMORY,
      screen: { container: screen },
      disable_mouse: true,
      disable_speaker: true,
      autostart: true,
    });
    pc.add_listener("serial0-output-byte", onSerial);
    pc.add_listener("emulator-started", () => resolve(pc));
  });
}

async function instantiate(wasm, imports) {
  try {
    return (await WebAssembly.instantiate(wasm, imports)).exports;
  } catch (error) {
    throw new Trouble(`The browser did not start the emulator (${error.message}); closing other tabs may free memory for it.`);
  }
}
