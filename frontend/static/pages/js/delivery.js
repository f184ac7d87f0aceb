/** Send what waits in the outbox, again while the server is out of reach, and show what came of it. */

import { ApiError } from "../../shared/client.js";

const RETRY = 5_000; // ms between attempts to reach the server
const UNSENT = ["offline", "unkept"]; // problems that are over once everything was sent

export class Delivery {
  #earlier;
  #kept;
  #last;
  #next;
  #offline;
  #outbox;
  #prepare;
  #screen;
  #sitting;
  #timer = 0;
  #undelivered = null;
  #upcoming;

  /** `next()` brings the next challenge; `prepare()` fetches what comes after the one on the screen. */
  constructor({ outbox, screen, upcoming, last, earlier, kept, offline, sitting, next, prepare }) {
    this.#earlier = earlier;
    this.#kept = kept;
    this.#last = last;
    this.#next = next;
    this.#offline = offline;
    this.#outbox = outbox;
    this.#prepare = prepare;
    this.#screen = screen;
    this.#sitting = sitting;
    this.#upcoming = upcoming;
  }

  /** Whether answers wait that would be lost with the page. */
  get isStuck() {
    return Boolean(this.#undelivered && this.#outbox.unkept);
  }

  /** Send what waits, then prefetch the challenge that comes after the one on the screen. */
  async deliver() {
    clearTimeout(this.#timer);
    const error = await this.#outbox.flush();
    this.#undelivered = error;
    this.#screen.showWaiting(this.#outbox.waiting, error);
    this.#offline?.refresh();
    if (error) this.#retry(error.code === "throttled" ? error.retryAfter * 1000 : RETRY);
    else if (UNSENT.includes(this.#screen.problem)) this.#next();
    else this.#prepare();
    if (!error) this.#offline?.fill();
  }

  /** Show why there is no next challenge, and try again by itself where that may help. */
  explain(error) {
    if (!(error instanceof ApiError)) throw error;
    this.#screen.showProblem(error, this.#outbox.waiting);
    clearTimeout(this.#timer);
    if (UNSENT.includes(error.code)) this.#retry(RETRY);
    if (error.code === "throttled") {
      this.#timer = setTimeout(() => this.#next(), error.retryAfter * 1000);
    }
  }

  /** Show what became of one answer; skips pass in silence. */
  showResult({ entry, outcome, error }) {
    if (error?.code === "too_fast") this.#upcoming.askAgain(entry.token);
    else this.#kept?.remove(entry.token);
    const arrivedBefore = error?.code === "answered" && entry.tried;
    if (error && !arrivedBefore) this.#last.drop(entry.token);
    else this.#last.deliver(entry.token, outcome?.result_in);
    if (outcome?.result_in) this.#earlier.deliver(entry.token, outcome.result_in);
    if (entry.action !== "answer") return;
    if (outcome) this.#screen.showOutcome(outcome);
    this.#sitting?.update(outcome?.progress);
    if (error && !arrivedBefore) this.#screen.showRefused(error);
  }

  #retry(ms) {
    this.#timer = setTimeout(() => this.deliver(), ms);
  }
}
