/**
 * How long what is asked about has been seen: from its painting on, while the tab is visible.
 * Nothing is answered before `SEEN_AFTER`. Knows no DOM.
 */

export const SEEN_AFTER = 300; // ms

export class Seen {
  #now;
  #isPainted = false;
  #isVisible = true;
  #since = 0;
  #total = 0;
  /** The number of the screen: presses that began on an earlier one do not count. */
  screen = 0;

  constructor({ now = () => performance.now() } = {}) {
    this.#now = now;
  }

  /** Start over: something else is about to be painted. */
  restart() {
    this.screen += 1;
    this.#isPainted = false;
    this.#total = 0;
  }

  /** Start to count, once it is painted. */
  paint() {
    this.#isPainted = true;
    this.#since = this.#now();
  }

  /** Stop to count while the tab is hidden. */
  setVisible(isVisible) {
    if (isVisible === this.#isVisible) return;
    this.#total = this.time;
    this.#isVisible = isVisible;
    this.#since = this.#now();
  }

  /** The time in ms for which it has been seen. */
  get time() {
    return this.#total + (this.isCounting ? this.#now() - this.#since : 0);
  }

  get isCounting() {
    return this.#isPainted && this.#isVisible;
  }

  get isLongEnough() {
    return this.time >= SEEN_AFTER;
  }
}
