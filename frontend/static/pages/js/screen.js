/** What is shown and said: one challenge, or one calm sentence about why there is none. */

import { makeButton } from "./dom.js";
import { KINDS } from "./kinds.js";
import * as words from "./words.js";

const PATIENCE = 300; // ms before a skeleton is shown

export class Screen {
  #actions = {};
  #answers = 0;
  #keys = {};
  #parts = {};
  #root;
  #shown = 0;
  /** The code of the trouble that is on the screen, or null. */
  troubled = null;

  /** `submit(body)`, `skip()` and `retry()` are called when the person asks for them. */
  constructor({ root, submit, skip, retry }) {
    this.#root = root;
    this.#actions = { submit, skip, retry };
    for (const part of root.querySelectorAll("[id]")) this.#parts[part.id] = part;
    const help = document.getElementById("help");
    this.#parts["open-help"].addEventListener("click", () => help.showModal());
    this.#parts["skip"].addEventListener("click", skip);
    document.addEventListener("keydown", (event) => this.#press(event, help));
    root.hidden = false;
  }

  /** Hold the screen still while something loads; a skeleton appears only if it takes long. */
  wait() {
    if (this.troubled) return { done() {} };
    this.#root.setAttribute("aria-busy", "true");
    this.#parts.stage.inert = this.#parts.actions.inert = true;
    const timer = setTimeout(() => this.#mode("loading"), PATIENCE);
    return {
      done: () => {
        clearTimeout(timer);
        this.#root.removeAttribute("aria-busy");
        this.#parts.stage.inert = this.#parts.actions.inert = false;
      },
    };
  }

  show(challenge, pictures, { first }) {
    const { before, subject, after, kind, progress } = challenge;
    const controls = KINDS[kind]({
      challenge,
      pictures,
      submit: this.#actions.submit,
      hint: (text) => this.#say("hint", text),
    });
    this.#ask(before, subject, after);
    this.#parts.stage.replaceChildren(controls.stage);
    this.#parts.actions.replaceChildren(...controls.actions);
    this.#say("hint", first ? words.firstHint(kind) : "");
    this.#keys = { ...controls.keys, s: this.#actions.skip };
    this.#showProgress(progress);
    this.#mode(kind);
    if (this.#shown && this.#mayFocus()) controls.focus();
    this.#shown += 1;
  }

  /** Clear what was said about the challenge that has just been left. */
  forget() {
    this.#say("hint", "");
    this.#say("note", "");
  }

  sayOutcome({ message, progress, generated }) {
    this.#say("outcome", generated ? `${message} ${words.GENERATED}` : message);
    this.#showProgress(progress);
  }

  sayRefused(refusal) {
    this.#say("note", words.refused(refusal));
  }

  /** `stopped` is the Refusal that keeps `count` answers waiting, or null. */
  sayWaiting(count, stopped) {
    if (count && stopped) this.#say("waiting", words.waiting(count, stopped));
    else if (this.#parts.waiting.textContent) this.#say("waiting", "");
  }

  sayNothingLeft() {
    this.#panel("empty", words.NOTHING_LEFT, ["Look again"]);
  }

  sayExpired() {
    this.#panel("expired", words.EXPIRED, ["Show a new one"]);
  }

  sayTrouble(refusal, count) {
    const button = refusal.code === "reload" ? "Reload the page" : "Try again";
    this.#panel(refusal.code, words.trouble(refusal, count), [button]);
  }

  #panel(code, [title, text], [button]) {
    const press = code === "reload" ? () => location.reload() : this.#actions.retry;
    if (this.troubled === code) {
      if (code === "empty") this.#say("note", words.STILL_NOTHING);
      return;
    }
    this.#say("note", "");
    this.#keys = {};
    this.#ask("", title, "");
    this.#say("hint", text);
    this.#parts.stage.replaceChildren();
    this.#parts.actions.replaceChildren(makeButton(button, { look: "primary", press }));
    this.#mode("panel", code);
    if (this.#mayFocus()) this.#parts.question.focus({ preventScroll: true });
  }

  #ask(before, subject, after) {
    this.#say("before", before);
    this.#say("subject", subject || before);
    this.#say("after", after);
    this.#parts.before.hidden = !subject;
    const length = (subject || before).length;
    this.#parts.subject.dataset.length = length > 90 ? "long" : length > 32 ? "middle" : "short";
  }

  #mode(mode, troubled = null) {
    this.#root.dataset.mode = mode;
    this.troubled = troubled;
    this.#say("loading", mode === "loading" ? "The next question is coming." : "");
  }

  #say(part, text) {
    this.#parts[part].textContent = text ?? "";
  }

  /** A challenge that was fetched ahead may know less than the last answer: never go back. */
  #showProgress(progress) {
    if (!progress || progress.answers < this.#answers) return;
    this.#answers = progress.answers;
    this.#say("progress", words.progress(progress));
  }

  /** The focus is ours to move when it is on the challenge, or nowhere. */
  #mayFocus() {
    const focused = document.activeElement;
    return !focused || focused === document.body || this.#root.contains(focused);
  }

  #press(event, help) {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
    if (help.open || event.repeat || event.target.closest("input, textarea, select")) return;
    if (event.key === "?") return help.showModal();
    const control = event.target.closest("a, button:not(.tile)");
    if (event.key === "Enter" && control) return; // it presses what is focused
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    const act = this.#parts.stage.inert ? undefined : this.#keys[key];
    if (!act) return;
    event.preventDefault();
    this.#root.dataset.keyboard = "true"; // the numbers of the tiles are shown from now on
    act();
  }
}
