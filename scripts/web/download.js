// Files of the page, with their progress.
import { Trouble } from "./trouble.js";

/** Loads files and keeps count of their bytes. */
export class Downloads {
  /**
   * @param {Object<string, number>} sizes the page's files and their bytes
   * @param {(done: number, total: number) => void} onProgress
   */
  constructor(sizes, onProgress) {
    this.sizes = sizes;
    this.onProgress = onProgress;
    this.done = 0;
    this.total = 0;
  }

  /**
   * One file as an ArrayBuffer. Progress counts the bytes that the page's list names, since a
   * server may send them compressed.
   */
  async get(path) {
    const size = this.sizes[path];
    this.total += size;
    const response = await request(path);
    const bytes = new Uint8Array(size);
    let at = 0;
    try {
      const reader = response.body.getReader();
      for (;;) {
        const { done, value } = await reader.read();
        if (done) break;
        if (at + value.length > size) throw wrongSize(path, size, "more");
        bytes.set(value, at);
        at += value.length;
        this.done += value.length;
        this.onProgress(this.done, this.total);
      }
    } catch (cause) {
      if (cause instanceof Trouble) throw cause;
      throw new Trouble(`The file ${path} broke off after ${at} of ${size} bytes; load the page again.`);
    }
    if (at < size) throw wrongSize(path, size, String(at));
    return bytes.buffer;
  }
}

/** Asks for a file. */
export async function request(path) {
  let response;
  try {
    response = await fetch(path, { cache: "no-cache" });
  } catch {
    throw new Trouble(`The file ${path} did not load: the server cannot be reached. Load the page again once it can.`);
  }
  if (!response.ok) {
    throw new Trouble(`The file ${path} did not load: the server answered ${response.status}. Is the whole folder there?`);
  }
  return response;
}

function wrongSize(path, size, found) {
  return new Trouble(`The file ${path} has ${found} bytes and should have ${size}; copy the page's folder again.`);
}
