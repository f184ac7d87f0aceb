/**
 * The challenge that was answered or skipped last: it can be undone for a while, and then it tells
 * what came of it. Knows no DOM.
 */

import { now as passed } from "./clock.js";

export const UNDO_SECONDS = 10;
const RETRIES = 3; // for a result that is not ready yet

export class LastChallenge {
  #actions;
  #entry = null; // { fetched, action, body, readyAt, state }
  #now;
  #outbox;
  #schedule;
  #timer = () => {};

  /**
   * `undo(token)` and `result(token)` ask the server; `show(entry)`, `close(entry)` and
   * `showResult(result, entry)` are called when a challenge becomes undoable, when it stops to be,
   * and when its result is there. `schedule(work, ms)` returns a function that cancels it; `now()` is in
   * milliseconds.
   */
  constructor({ undo, result, show, close, showResult, outbox, schedule = later, now = passed }) {
    this.#actions = { undo, result, show, close, showResult };
    this.#now = now;
    this.#outbox = outbox;
    this.#schedule = schedule;
  }

  /** What may be undone now: { fetched, action, body }, or null. */
  get undoable() {
    return this.#entry?.state === "undoable" ? this.#entry : null;
  }

  /** Keep what was answered or skipped; what was kept before cannot be undone any more. */
  keep({ fetched, action, body }) {
    this.#timer();
    this.#entry = { fetched, action, body, readyAt: null, state: "undoable" };
    this.#timer = this.#schedule(() => this.#close(), UNDO_SECONDS * 1000);
    this.#actions.show(this.#entry);
  }

  /** Note that the server has it, and in how many seconds it tells what came of it. */
  deliver(token, seconds = 0) {
    const entry = this.#entry;
    if (entry?.fetched.challenge.token !== token) return;
    entry.readyAt = this.#now() + seconds * 1000;
    if (entry.state === "counts") this.#askOnceReady(entry);
  }

  /** Note that the server refused it: there is nothing to undo, and no result. */
  drop(token) {
    if (this.#entry?.fetched.challenge.token === token) this.#end();
  }

  /**
   * Take it back; return { fetched, body, progress } with a good deadline, and the progress where
   * the server had it; null where nothing can be undone. Rejects with an ApiError where the server
   * refuses, and offers it no more.
   */
  async undo() {
    const entry = this.undoable;
    if (!entry) return null;
    this.#timer();
    entry.state = "undoing"; // a second press undoes nothing
    const { token } = entry.fetched.challenge;
    try {
      await this.#outbox.settle(token); // it may be on its way
      const isHere = this.#outbox.take(token);
      const reopened = isHere ? null : await this.#actions.undo(token);
      const deadline = reopened ? this.#now() + reopened.expires_in * 1000 : entry.fetched.deadline;
      const fetched = { ...entry.fetched, deadline };
      return { fetched, body: entry.body, progress: reopened?.progress ?? null };
    } finally {
      if (this.#entry === entry) this.#end();
    }
  }

  #close() {
    const entry = this.#entry;
    entry.state = "counts";
    this.#actions.close(entry);
    if (entry.readyAt !== null) this.#askOnceReady(entry);
  }

  #askOnceReady(entry) {
    if (entry.action !== "answer") return;
    this.#timer = this.#schedule(() => this.#ask(entry), Math.max(0, entry.readyAt - this.#now()));
  }

  /** Ask what came of it, again once it is ready; without an answer the strip stays as it is. */
  async #ask(entry, attempt = 1) {
    try {
      const result = await this.#actions.result(entry.fetched.challenge.token);
      if (this.#entry === entry && result) this.#actions.showResult(result, entry);
    } catch (error) {
      if (error.code !== "too_early" || attempt > RETRIES || this.#entry !== entry) return;
      const wait = Math.max(1, error.retryAfter) * 1000;
      this.#timer = this.#schedule(() => this.#ask(entry, attempt + 1), wait);
    }
  }

  #end() {
    this.#timer();
    const entry = this.#entry;
    this.#entry = null;
    this.#actions.close(entry);
  }
}

function later(work, ms) {
  const timer = setTimeout(work, ms);
  return () => clearTimeout(timer);
}
