/** Draw while somebody types: one draft at a time, then the words as they are by then. No DOM. */

import { ApiError } from "../shared/client.js";

const PAUSE = 300; // ms without a key until a draft is asked for
const POLL = 120; // ms between two looks at it
const PATIENCE = 30_000; // ms until a draft is given up
const UNFINISHED = ["queued", "running"];

export class Drafts {
  #generations;
  #onDrawn;
  #request = null; // what is to be drawn next
  #last = null; // what was drawn
  #timer = 0;
  #isDrawing = false;

  /** `onDrawn(generation)` is called with each draft, unless something else was asked for since. */
  constructor(generations, onDrawn) {
    this.#generations = generations;
    this.#onDrawn = onDrawn;
  }

  /** Whether nothing else has been asked for since that was drawn. */
  isLast(generation) {
    return this.#last === generation;
  }

  /** Draw this, once nothing else has been asked for in a moment. */
  ask(request) {
    this.stop();
    this.#request = { ...request, draft: true };
    this.#timer = setTimeout(() => this.#drawAll(), PAUSE);
  }

  /** Show no draft any more. */
  stop() {
    clearTimeout(this.#timer);
    this.#request = this.#last = null;
  }

  async #drawAll() {
    if (this.#isDrawing) return; // whoever draws goes on with what is asked for by then
    this.#isDrawing = true;
    while (this.#request) {
      const request = this.#request;
      const generation = await this.#draw(request);
      if (this.#request !== request) continue;
      this.#request = null;
      this.#last = generation;
      if (generation) this.#onDrawn(generation);
    }
    this.#isDrawing = false;
  }

  /** Return a draft that was drawn, or null: whoever presses Draw is told what is wrong. */
  async #draw(request) {
    const until = Date.now() + PATIENCE;
    try {
      let generation = await this.#generations.create(request);
      while (UNFINISHED.includes(generation.state) && Date.now() < until) {
        await new Promise((resolve) => setTimeout(resolve, POLL));
        generation = await this.#generations.get(generation.id);
      }
      return generation.state === "succeeded" ? generation : null;
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      return null;
    }
  }
}
