/** Fetch challenges ahead in the background, until as many are kept as may be. Knows no DOM. */

const LOCK = "tessera.ahead"; // one tab fetches at a time

export class Ahead {
  #issue;
  #loadBlobs;
  #kept;
  #limit;
  #locks;
  #onChange;
  #running = null;
  #timer = 0;
  /** Whether more are fetched when some have been answered. */
  enabled = false;
  /**
   * Why no more are fetched: "", "done", "nothing" that can be asked, "full" where there is no room,
   * or an ApiError's code: "enough" where another device keeps as many.
   */
  stopped = "";

  /**
   * `issue()` resolves to a challenge that can be answered for hours, or to null; `loadBlobs` loads
   * the pictures of one; `onChange()` is called after each.
   */
  constructor({ issue, loadBlobs, kept, limit, onChange, locks = null }) {
    this.#issue = issue;
    this.#loadBlobs = loadBlobs;
    this.#kept = kept;
    this.#limit = limit;
    this.#onChange = onChange;
    this.#locks = locks;
  }

  get running() {
    return this.#running !== null;
  }

  /** Fetch until enough are kept; resolve when none is fetched any more. */
  fill() {
    if (!this.enabled) return Promise.resolve();
    clearTimeout(this.#timer);
    this.#running ??= this.#alone().finally(() => {
      this.#running = null;
      this.#onChange();
    });
    return this.#running;
  }

  async #alone() {
    if (!this.#locks) return this.#fillUp();
    await this.#locks.request(LOCK, { ifAvailable: true }, (lock) => lock && this.#fillUp());
  }

  async #fillUp() {
    this.stopped = "";
    try {
      for (const challenge of await this.#kept.incomplete()) await this.#loadPictures(challenge);
      while (this.enabled && !this.stopped) await this.#fetchOne();
    } catch (error) {
      this.stopped = error.code && typeof error.code === "string" ? error.code : "full";
      if (this.stopped === "throttled") this.#later(error.retryAfter * 1000);
    }
  }

  async #fetchOne() {
    const { count } = await this.#kept.summary();
    if (count >= this.#limit) return void (this.stopped = "done");
    const challenge = await this.#issue();
    if (!challenge) return void (this.stopped = "nothing");
    await this.#kept.add(challenge);
    await this.#loadPictures(challenge);
  }

  async #loadPictures(challenge) {
    try {
      await this.#kept.complete(challenge.token, await this.#loadBlobs(challenge));
    } catch (error) {
      if (error.code !== "gone") throw error;
      await this.#kept.remove(challenge.token); // the picture was removed meanwhile
    }
    this.#onChange();
  }

  #later(ms) {
    this.#timer = setTimeout(() => this.fill(), ms);
  }
}
