/** The challenge screen: one challenge, or a sentence that says why there is none. */

import { makeButton } from "./dom.js";
import { KINDS } from "./kinds.js";
import * as messages from "./messages.js";

const SKELETON_DELAY = 300; // ms

export class Screen {
  #actions = {};
  #answers = 0;
  #keys = {};
  #parts = {};
  #root;
  #shownCount = 0;
  /** The code of the problem that is on the screen, or null. */
  problem = null;

  /** `submit(body)`, `skip()` and `retry()` are called when the person asks for them. */
  constructor({ root, submit, skip, retry }) {
    this.#root = root;
    this.#actions = { submit, skip, retry };
    for (const part of root.querySelectorAll("[id]")) this.#parts[part.id] = part;
    const help = document.getElementById("help");
    this.#parts["open-help"].addEventListener("click", () => help.showModal());
    this.#parts["skip"].addEventListener("click", skip);
    document.addEventListener("keydown", (event) => this.#handleKey(event, help));
    root.hidden = false;
  }

  /**
   * Freeze the screen while something loads, and return the function that ends it. A skeleton
   * appears only if it takes long.
   */
  wait() {
    if (this.problem) return () => {};
    this.#root.setAttribute("aria-busy", "true");
    this.#parts.stage.inert = this.#parts.actions.inert = true;
    const timer = setTimeout(() => this.#setMode("loading"), SKELETON_DELAY);
    return () => {
      clearTimeout(timer);
      this.#root.removeAttribute("aria-busy");
      this.#parts.stage.inert = this.#parts.actions.inert = false;
    };
  }

  showChallenge(challenge, pictures, { first }) {
    const { before, subject, after, kind, progress } = challenge;
    const controls = KINDS[kind]({
      challenge,
      pictures,
      submit: this.#actions.submit,
      hint: (text) => this.#say("hint", text),
    });
    this.#showQuestion(before, subject, after);
    this.#parts.stage.replaceChildren(controls.stage);
    this.#parts.actions.replaceChildren(...controls.actions);
    this.#say("hint", first ? messages.firstHint(kind) : "");
    this.#keys = { ...controls.keys, s: this.#actions.skip };
    this.#showProgress(progress);
    this.#setMode(kind);
    if (this.#shownCount && this.#mayFocus()) controls.focus();
    this.#shownCount += 1;
  }

  /** Clear the messages about the challenge that has just been left. */
  clearMessages() {
    this.#say("hint", "");
    this.#say("note", "");
  }

  showOutcome({ message, progress, generated }) {
    this.#say("outcome", generated ? `${message} ${messages.GENERATED}` : message);
    this.#showProgress(progress);
  }

  showRefused(error) {
    this.#say("note", messages.refused(error));
  }

  /** `error` is the ApiError that keeps `count` answers waiting, or null. */
  showWaiting(count, error) {
    if (count && error) this.#say("waiting", messages.waiting(count, error));
    else if (this.#parts.waiting.textContent) this.#say("waiting", "");
  }

  /** `answered` says whether the person has answered anything since the page was opened. */
  showNothingToAsk(kind, { answered }) {
    this.#showPanel("empty", messages.nothingToAsk(kind, { answered }), "Look again");
  }

  showExpired() {
    this.#showPanel("expired", messages.EXPIRED, "Show a new one");
  }

  showProblem(error, count) {
    const button = error.code === "reload" ? "Reload the page" : "Try again";
    this.#showPanel(error.code, messages.problem(error, count), button);
  }

  #showPanel(code, [title, text], button) {
    const press = code === "reload" ? () => location.reload() : this.#actions.retry;
    if (this.problem === code) {
      if (code === "empty") this.#say("note", messages.STILL_NOTHING);
      return;
    }
    this.#say("note", "");
    this.#keys = {};
    this.#showQuestion("", title, "");
    this.#say("hint", text);
    this.#parts.stage.replaceChildren();
    this.#parts.actions.replaceChildren(makeButton(button, { variant: "primary", press }));
    this.#setMode("panel", code);
    if (this.#mayFocus()) this.#parts.question.focus({ preventScroll: true });
  }

  #showQuestion(before, subject, after) {
    this.#say("before", before);
    this.#say("subject", subject || before);
    this.#say("after", after);
    this.#parts.before.hidden = !subject;
    const length = (subject || before).length;
    this.#parts.subject.dataset.length = length > 90 ? "long" : length > 32 ? "middle" : "short";
  }

  #setMode(mode, problem = null) {
    this.#root.dataset.mode = mode;
    this.problem = problem;
    this.#say("loading", mode === "loading" ? "The next question is coming." : "");
  }

  #say(part, text) {
    this.#parts[part].textContent = text ?? "";
  }

  /** Show progress, but never less than before: a prefetched challenge may know less. */
  #showProgress(progress) {
    if (!progress || progress.answers < this.#answers) return;
    this.#answers = progress.answers;
    this.#say("progress", messages.progress(progress));
  }

  /** Return whether the focus may be moved: it is on the challenge, or nowhere. */
  #mayFocus() {
    const focused = document.activeElement;
    return !focused || focused === document.body || this.#root.contains(focused);
  }

  #handleKey(event, help) {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
    if (help.open || event.repeat || event.target.closest("input, textarea, select")) return;
    if (event.key === "?") return help.showModal();
    const control = event.target.closest("a, button:not(.tile)");
    if (event.key === "Enter" && control) return; // it presses what is focused
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    const action = this.#parts.stage.inert ? undefined : this.#keys[key];
    if (!action) return;
    event.preventDefault();
    this.#root.dataset.keyboard = "true"; // the numbers of the tiles are shown from now on
    action();
  }
}
