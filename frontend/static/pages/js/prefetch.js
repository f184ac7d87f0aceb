/** Keep the next challenge and its pictures ready, so that nobody waits. Knows no DOM. */

import { now as passed } from "./clock.js";

const MARGIN = 30_000; // ms: a challenge this close to its end is not shown any more

export class Prefetcher {
  #issue;
  #kept;
  #load;
  #now;
  #pending = null;

  /**
   * `issue()` resolves to a challenge or null; `load(challenge)` to its pictures. `kept` holds what
   * was fetched to be answered offline: that is asked first, so that none of it expires unasked.
   */
  constructor({ issue, load, kept = null, now = passed }) {
    this.#issue = issue;
    this.#kept = kept;
    this.#load = load;
    this.#now = now;
  }

  /** Start to fetch a challenge, unless one is pending; after a failure `next` tries again. */
  start() {
    const pending = (this.#pending ??= this.#fetch());
    pending.catch(() => {
      if (this.#pending === pending) this.#pending = null;
    });
  }

  /** Return the next challenge with its pictures and deadline, or null when nothing is left. */
  async next() {
    const pending = this.#pending;
    this.#pending = null;
    const fetched = await pending?.catch(() => null);
    return fetched && this.#isFresh(fetched) ? fetched : this.#fetch();
  }

  #isFresh({ deadline, lifetime }) {
    return deadline - this.#now() > Math.min(MARGIN, lifetime / 2);
  }

  async #fetch() {
    const start = this.#now();
    const kept = await this.#kept?.next();
    const challenge = kept?.challenge ?? (await this.#issue());
    if (!challenge) return null;
    const pictures = await (kept?.pictures ?? this.#load(challenge));
    const lifetime = challenge.expires_in * 1000;
    return { challenge, pictures, lifetime, deadline: kept?.deadline ?? start + lifetime };
  }
}
