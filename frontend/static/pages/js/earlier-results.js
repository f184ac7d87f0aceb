/**
 * What came of challenges that have left the strip: most people answer the next one before the
 * result of the last is there, so it is asked for later and said in a sentence. Knows no DOM.
 */

import { now as passed } from "./clock.js";

const MAX_LEFT = 5; // answers that are sent late of which it is still said

export class EarlierResults {
  #last = null; // token of the answered challenge that is in the strip
  #left = new Set(); // tokens of those that have left it before the server had their answers
  #now;
  #readyAt = new Map(); // token → when the server tells what came of it
  #result;
  #say;
  #schedule;

  /** `result(token)` asks the server, `say(result)` is called where there is something to say. */
  constructor({ result, say, now = passed, schedule = setTimeout.bind(globalThis) }) {
    this.#result = result;
    this.#say = say;
    this.#now = now;
    this.#schedule = schedule;
  }

  /** Take notice of the challenge that is in the strip from now on. */
  keep({ token, action }) {
    const earlier = this.#last;
    this.#last = action === "answer" ? token : null;
    if (earlier === null || earlier === token) return;
    if (this.#readyAt.has(earlier)) this.#askOnceReady(earlier);
    else this.#leave(earlier);
  }

  /** Note that the server has an answer, and in how many seconds it tells what came of it. */
  deliver(token, seconds) {
    const hasLeft = this.#left.delete(token);
    if (!hasLeft && token !== this.#last) return; // of an earlier page
    this.#readyAt.set(token, this.#now() + seconds * 1000);
    if (hasLeft) this.#askOnceReady(token);
  }

  #leave(token) {
    this.#left.add(token);
    const [oldest] = this.#left;
    if (this.#left.size > MAX_LEFT) this.#left.delete(oldest);
  }

  #askOnceReady(token) {
    const wait = Math.max(0, this.#readyAt.get(token) - this.#now());
    this.#readyAt.delete(token);
    this.#schedule(() => this.#ask(token), wait);
  }

  /** Ask once; what was undone or cannot be asked for now is left out. */
  async #ask(token) {
    const result = await this.#result(token).catch(() => null);
    if (result?.message || result?.generated) this.#say(result);
  }
}
