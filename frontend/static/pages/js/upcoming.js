/** The challenges that come next: those that were set aside first. Knows no DOM. */

import { now as passed } from "./clock.js";

const MARGIN = 5_000; // ms: what was set aside is not shown any more this close to its end
const MAX_LEFT = 5;

export class Upcoming {
  #aside = []; // because an earlier challenge was brought back, or is asked again
  #kept;
  #left = []; // what was answered last, to be asked again if the server takes it for unseen
  #now;
  #prefetcher;

  constructor({ prefetcher, kept = null, now = passed }) {
    this.#kept = kept;
    this.#now = now;
    this.#prefetcher = prefetcher;
  }

  /** Return a challenge that was set aside and is still good, or the next one that is fetched. */
  async next() {
    const fetched = this.#aside.shift();
    if (!fetched) return this.#prefetcher.next();
    return fetched.deadline - this.#now() > MARGIN ? fetched : this.next();
  }

  /** Fetch what comes after the challenge on the screen, unless something was set aside. */
  prepare() {
    if (!this.#aside.length) this.#prefetcher.start();
  }

  /** Show a challenge after all others that were set aside. */
  setAside(fetched) {
    this.#aside.push(fetched);
  }

  /** Show a challenge next. */
  putBack(fetched) {
    this.#aside.unshift(fetched);
  }

  /** Note that a challenge was answered or skipped. */
  leave(fetched) {
    this.#left = [...this.#left, fetched].slice(-MAX_LEFT);
  }

  /** Ask again what the server takes for unseen. */
  askAgain(token) {
    const fetched = this.#left.find(({ challenge }) => challenge.token === token);
    if (fetched) this.setAside(fetched);
    else this.#kept?.giveBack(token);
  }
}
