/**
 * A sitting: how much a person has answered in one go, and the goal that they chose. It is kept in
 * storage so that a reload does not end it; where that is full or forbidden, as long as the page.
 * Knows no DOM.
 */

export const PAUSE = 30 * 60_000; // ms: after so long a pause, another sitting begins
const MINUTE = 60_000; // ms

export class Sitting {
  #key;
  #now;
  #state = null; // { answers, labels, start, last, goal }: answers and labels as it began
  #storage;
  #progress = null; // { answers, labels } that the server knows of

  constructor({ project, storage, now = Date.now }) {
    this.#key = `tessera.sitting.${project}`;
    this.#storage = storage;
    this.#now = now;
  }

  /** Take notice of how much the person has answered in all; what is told late changes nothing. */
  begin(progress) {
    if (this.#state) return;
    this.#progress = progress;
    const kept = this.#read();
    const goesOn = kept && kept.answers <= progress.answers && this.#now() - kept.last < PAUSE;
    this.#state = goesOn ? kept : this.#fresh(progress, kept);
    this.#keep();
  }

  /** Take notice of an answer, or of one that was taken back. */
  update(progress) {
    this.begin(progress);
    this.#progress = progress;
    this.#state.last = this.#now();
    this.#keep();
  }

  /** The number of answers in this sitting. */
  get answers() {
    return this.#state ? Math.max(0, this.#progress.answers - this.#state.answers) : 0;
  }

  /** How often a label became certain with them; one that was asked again, more than once. */
  get labels() {
    return this.#state ? Math.max(0, this.#progress.labels - this.#state.labels) : 0;
  }

  /** The goal: { kind: "pictures" or "minutes", amount, from }; null without one. */
  get goal() {
    return this.#state?.goal ?? null;
  }

  /** Choose a goal from now on: `amount` pictures or minutes. */
  choose(kind, amount) {
    if (!this.#state) return;
    const from = kind === "pictures" ? this.answers : this.#now();
    this.#state.goal = { kind, amount, from };
    this.#keep();
  }

  /** Choose the same goal again, from now on. */
  repeat() {
    const { kind, amount } = this.goal;
    this.choose(kind, amount);
  }

  /** Go on without a goal. */
  drop() {
    if (!this.#state) return;
    this.#state.goal = null;
    this.#keep();
  }

  /** How much of the goal is done, and of how much; null without a goal. */
  get progress() {
    const { goal } = this;
    if (!goal) return null;
    const done =
      goal.kind === "pictures"
        ? this.answers - goal.from
        : Math.floor((this.#now() - goal.from) / MINUTE);
    return { done: Math.min(Math.max(done, 0), goal.amount), of: goal.amount };
  }

  get isReached() {
    const { progress } = this;
    return progress !== null && progress.done >= progress.of;
  }

  #fresh({ answers, labels }, kept) {
    const start = this.#now();
    const goal = kept?.goal ? { ...kept.goal, from: kept.goal.kind === "pictures" ? 0 : start } : null;
    return { answers, labels, start, last: start, goal };
  }

  #read() {
    try {
      const kept = JSON.parse(this.#storage.getItem(this.#key) ?? "null");
      const numbers = kept && [kept.answers, kept.labels, kept.start, kept.last];
      return numbers?.every(Number.isFinite) ? kept : null;
    } catch {
      return null;
    }
  }

  #keep() {
    try {
      this.#storage.setItem(this.#key, JSON.stringify(this.#state));
    } catch {
      // The storage is full or forbidden: the page remembers it.
    }
  }
}
