// Tokens, tokens a second, and the place in the context, from the machine's trace.

/** How far back the rate looks, in milliseconds. */
const WINDOW = 3000;
/** How often the numbers change, in milliseconds: faster, nobody could read them. */
const REFRESH = 200;

/** The numbers under the screen. */
export class Meter {
  /** @param {{tokens: HTMLElement, rate: HTMLElement, place: HTMLProgressElement}} elements */
  constructor(elements) {
    this.elements = elements;
    this.limit = 1;
    this.reset(1);
  }

  /** A new story, of at most `limit` tokens. */
  reset(limit) {
    this.limit = limit;
    this.times = [];
    this.tokens = 0;
    this.drawn = -REFRESH;
    this.draw();
  }

  /** The machine has done a forward pass at a position. */
  pass(position, now = performance.now()) {
    if (position === 0) this.reset(this.limit);
    this.tokens = position + 1;
    this.times.push(now);
    while (now - this.times[0] > WINDOW) this.times.shift();
    if (now - this.drawn > REFRESH) {
      this.drawn = now;
      this.draw();
    }
  }

  /** The machine's own last word: "[N tokens, X tok/s]". */
  summary(tokens, rate) {
    this.tokens = tokens;
    this.draw(rate);
  }

  draw(rate = this.rate()) {
    this.elements.tokens.textContent = String(this.tokens);
    this.elements.rate.textContent = rate === null ? "–" : rate < 10 ? rate.toFixed(1) : rate.toFixed(0);
    this.elements.place.max = this.limit;
    this.elements.place.value = Math.min(this.tokens, this.limit);
  }

  /** Tokens a second by the browser's clock; null before there are any. */
  rate() {
    const [first, last] = [this.times[0], this.times.at(-1)];
    return this.times.length < 2 || last === first ? null : ((this.times.length - 1) * 1000) / (last - first);
  }
}
