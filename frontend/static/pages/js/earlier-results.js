/**
 * What came of challenges that have left the strip: most people answer the next one before the
 * result of the last is there, so it is asked for later and said in a sentence. Knows no DOM.
 */

const FINAL = 14_000; // ms after the answer, when it cannot be undone any more

export class EarlierResults {
  #last = null; // { token, at } of the challenge that is in the strip
  #now;
  #result;
  #say;
  #schedule;

  /** `result(token)` asks the server, `say(result)` is called where there is something to say. */
  constructor({ result, say, now = Date.now, schedule = setTimeout.bind(globalThis) }) {
    this.#result = result;
    this.#say = say;
    this.#now = now;
    this.#schedule = schedule;
  }

  /** Take notice of the challenge that is in the strip from now on. */
  keep({ token, action }) {
    const earlier = this.#last;
    this.#last = action === "answer" ? { token, at: this.#now() } : null;
    if (!earlier || earlier.token === token) return;
    this.#schedule(() => this.#ask(earlier.token), earlier.at + FINAL - this.#now());
  }

  /** Ask once; what was undone, is not sent yet or cannot be asked for now is left out. */
  async #ask(token) {
    const result = await this.#result(token).catch(() => null);
    if (result?.message) this.#say(result);
  }
}
