/** The challenge screen: one challenge, or a sentence that says why there is none. */

import { make, makeButton } from "./dom.js";
import { makeDefinition, makeExamples } from "./guide-card.js";
import { KINDS } from "./kinds.js";
import * as messages from "./messages.js";

const SKELETON_DELAY = 300; // ms

export class Screen {
  #actions = {};
  #answers = 0;
  #keys = {};
  #parts = {};
  #pressSkip = () => {};
  #root;
  #shownCount = 0;
  /** The code of the problem that is on the screen, or null. */
  problem = null;

  /**
   * `submit(body)`, `skip()` and `retry()` are called when the person asks for them; `guide()`
   * resolves to the guide of what is asked about, or to null.
   */
  constructor({ root, submit, skip, retry, guide }) {
    this.#root = root;
    this.#actions = { submit, skip, retry, guide };
    for (const part of root.querySelectorAll("[id]")) this.#parts[part.id] = part;
    const help = document.getElementById("help");
    this.#parts["open-help"].addEventListener("click", () => this.#openHelp(help));
    this.#parts["skip"].addEventListener("click", () => this.#pressSkip());
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
    const { kind, progress } = challenge;
    const controls = KINDS[kind]({
      challenge,
      pictures,
      submit: this.#actions.submit,
      hint: (text) => this.#say("hint", text),
    });
    this.#showQuestion(challenge);
    this.#showControls(controls, this.#actions.skip);
    this.#say("hint", first ? messages.firstHint(kind) : "");
    this.#showProgress(progress);
    this.#setMode(kind);
    if (this.#shownCount && this.#mayFocus()) controls.focus();
    this.#shownCount += 1;
  }

  /** Explain what a concept is; resolve when the person goes on. */
  showGuide(guide) {
    return new Promise((resolve) => {
      const done = makeButton("Go on", { key: "Enter", variant: "primary", press: resolve });
      this.#showQuestion({ before: "What counts as", subject: guide.phrase, ...written(guide) });
      this.#parts.hint.replaceChildren(...[makeDefinition(guide)].filter(Boolean));
      const stage = makeExamples(guide) ?? make("div");
      this.#showControls({ stage, actions: [done], keys: { Enter: resolve } });
      this.#setMode("guide");
      if (this.#mayFocus()) this.#parts.question.focus({ preventScroll: true });
    });
  }

  /** Ask a practice question; resolve to yes, no, or null for who skips the practice. */
  askPractice(challenge, pictures) {
    return new Promise((resolve) => {
      const submit = ({ yes }) => resolve(yes);
      const controls = KINDS.verify({ challenge, pictures, submit });
      this.#showQuestion(challenge);
      this.#showControls(controls, () => resolve(null));
      this.#say("hint", messages.PRACTICE);
      this.#setMode("practice");
      if (this.#mayFocus()) controls.focus();
    });
  }

  /** Say what is right, beside the picture; resolve when the person goes on. */
  showFeedback(result) {
    return new Promise((resolve) => {
      const done = makeButton("Go on", { key: "Enter", variant: "primary", press: resolve });
      const sentence = make("strong", {}, messages.feedback(result));
      const definition = result.right ? null : makeDefinition(result);
      this.#parts.hint.replaceChildren(sentence, ...[definition].filter(Boolean));
      this.#parts.actions.replaceChildren(done);
      this.#keys = { Enter: resolve };
      this.#setMode("feedback");
      this.#root.dataset.right = result.right;
      if (this.#mayFocus()) done.focus({ preventScroll: true });
    });
  }

  #showControls({ stage, actions, keys }, skip = null) {
    this.#parts.stage.replaceChildren(stage);
    this.#parts.actions.replaceChildren(...actions);
    this.#keys = skip ? { ...keys, s: skip } : keys;
    this.#pressSkip = skip ?? (() => {});
  }

  showHint(text) {
    this.#say("hint", text);
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
    this.#showQuestion({ subject: title });
    this.#say("hint", text);
    this.#parts.stage.replaceChildren();
    this.#parts.actions.replaceChildren(makeButton(button, { variant: "primary", press }));
    this.#setMode("panel", code);
    if (this.#mayFocus()) this.#parts.question.focus({ preventScroll: true });
  }

  #showQuestion({ before = "", subject = "", after = "", lang = "en", dir = "auto" }) {
    this.#say("before", before);
    this.#say("subject", subject || before);
    this.#say("after", after);
    this.#parts.subject.dir = dir;
    this.#parts.subject.lang = subject ? lang : "en";
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

  /** Show the keys and instructions, and what is asked about, once its guide is there. */
  async #openHelp(help) {
    const part = help.querySelector("#help-guide");
    part.hidden = true;
    help.showModal();
    const guide = await this.#actions.guide();
    if (!guide) return;
    const title = make("h3", {}, make("span", written(guide), guide.phrase));
    const parts = [makeDefinition(guide), makeExamples(guide, "h4")].filter(Boolean);
    part.replaceChildren(title, ...parts);
    part.hidden = false;
  }

  /** Return whether the focus may be moved: it is on the challenge, or nowhere. */
  #mayFocus() {
    const focused = document.activeElement;
    return !focused || focused === document.body || this.#root.contains(focused);
  }

  #handleKey(event, help) {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
    if (help.open || event.repeat || event.target.closest("input, textarea, select")) return;
    if (event.key === "?") return this.#openHelp(help);
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

/** Return how a guide's phrase is written. */
function written({ lang, dir }) {
  return { lang, dir };
}
