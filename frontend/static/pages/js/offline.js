/** Working offline: the switch, and what it says about questions that are kept and answers that wait. */

import { keepPage } from "./kept-page.js";
import { make } from "./dom.js";
import * as messages from "./offline-messages.js";
import { isNotable, noteKeeper } from "./signed-out.js";
import { readList } from "./storage.js";

const ENABLED = "tessera.offline"; // the projects for which it is turned on

export class OfflineControl {
  #ahead;
  #kept;
  #outbox;
  #parts = {};
  #limit;
  #page;
  #project;
  #reloads = false;
  #storage;
  #wasRunning = false;

  /** `ahead` and `kept` are null where the browser keeps nothing. */
  constructor({ root, ahead, kept, outbox, storage, project }) {
    this.#ahead = ahead;
    this.#kept = kept;
    this.#outbox = outbox;
    this.#storage = storage;
    this.#project = project;
    this.#limit = Number(root.dataset.limit);
    this.#page = { worker: root.dataset.worker, scope: root.dataset.scope };
    for (const part of root.querySelectorAll("[data-part]")) this.#parts[part.dataset.part] = part;
    this.#parts.switch.addEventListener("click", () => this.#toggle());
    root.hidden = false;
    if (kept && this.#enabled.includes(project)) this.#turnOn();
    this.refresh();
  }

  /** Show the counts as they are now; fetch more in place of what was answered. */
  async refresh() {
    const summary = await this.#kept?.summary().catch(() => null);
    const enabled = Boolean(this.#ahead?.enabled);
    this.#parts.switch.setAttribute("aria-pressed", enabled);
    const lines = [...this.#keptLines(summary, enabled), ...this.#answerLines()];
    this.#parts.lines.replaceChildren(...lines.map((line) => make("li", {}, line)));
    this.#announce(summary);
  }

  /** Fetch more, where it is turned on. */
  fill() {
    return this.#ahead?.fill();
  }

  #keptLines(summary, enabled) {
    if (!summary || !isNotable()) return [messages.NOT_POSSIBLE];
    if (!enabled && !summary.count) return [];
    const lines = [messages.kept(summary, this.#limit), messages.stopped(this.#ahead.stopped)];
    if (enabled && !this.#reloads && !this.#ahead.running) lines.push(messages.NO_RELOAD);
    return lines.filter(Boolean);
  }

  #answerLines() {
    const { waiting, unkept, held, tally } = this.#outbox;
    const lines = waiting ? [messages.waiting(waiting)] : [];
    if (waiting && unkept) lines.push(messages.unkept(unkept));
    if (held) lines.push(messages.held(held));
    if (tally.sent > 1) lines.push(messages.sent(tally.sent));
    return [...lines, ...messages.refused(tally.refused)];
  }

  /** Say once that enough is kept: the counts alone are not read out, as they change often. */
  #announce(summary) {
    const running = Boolean(this.#ahead?.running);
    const isReady = this.#wasRunning && !running && summary?.count;
    if (isReady) this.#parts.status.textContent = messages.READY;
    else if (running) this.#parts.status.textContent = "";
    this.#wasRunning = running;
  }

  async #toggle() {
    if (!this.#ahead) return;
    navigator.storage?.persist?.().catch(() => {}); // so that it outlives a lack of room
    if (this.#ahead.enabled) this.#turnOff();
    else await this.#turnOn();
    this.refresh();
  }

  async #turnOn() {
    if (!noteKeeper()) return; // there is no room for that either
    this.#ahead.enabled = true;
    this.#remember([...this.#enabled.filter((slug) => slug !== this.#project), this.#project]);
    this.fill();
    this.#reloads = await keepPage(this.#page);
    await this.refresh();
  }

  /** Fetch no more; what is kept is still asked, and then gone. */
  #turnOff() {
    this.#ahead.enabled = false;
    this.#remember(this.#enabled.filter((slug) => slug !== this.#project));
    this.#parts.status.textContent = "";
  }

  get #enabled() {
    return readList(this.#storage, ENABLED);
  }

  #remember(slugs) {
    this.#storage.setItem(ENABLED, JSON.stringify(slugs));
  }
}
