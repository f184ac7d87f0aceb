/** Keeps the next challenge ready, its pictures included, so that nobody waits. Knows no DOM. */

const MARGIN = 30_000; // ms: a challenge this close to its end is not shown any more

export class Ahead {
  #coming = null;
  #issue;
  #load;
  #now;

  /** `issue()` resolves to a challenge or null; `load(challenge)` to its pictures. */
  constructor({ issue, load, now = Date.now }) {
    this.#issue = issue;
    this.#load = load;
    this.#now = now;
  }

  /** Start fetching one, unless one is coming; a failure is forgotten: `take` tries again. */
  prepare() {
    const coming = (this.#coming ??= this.#fetch());
    coming.catch(() => {
      if (this.#coming === coming) this.#coming = null;
    });
  }

  /** The next challenge with its pictures and deadline, or null when nothing is left. */
  async take() {
    const coming = this.#coming;
    this.#coming = null;
    const next = await coming?.catch(() => null);
    return next && this.#lasts(next) ? next : this.#fetch();
  }

  #lasts({ deadline, life }) {
    return deadline - this.#now() > Math.min(MARGIN, life / 2);
  }

  async #fetch() {
    const asked = this.#now();
    const challenge = await this.#issue();
    if (!challenge) return null;
    const pictures = await this.#load(challenge);
    const life = challenge.expires_in * 1000;
    return { challenge, pictures, life, deadline: asked + life };
  }
}
