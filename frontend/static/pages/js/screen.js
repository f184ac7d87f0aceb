/** The challenge screen: one challenge, or a sentence that says why there is none. */

import { gettext } from "../../shared/translate.js";
import { make, makeButton } from "./dom.js";
import { Gate } from "./gate.js";
import { aroundPhrase, goOn, untilPressed } from "./going-on.js";
import { makeDefinition, makeExamples } from "./guide-card.js";
import { Help } from "./help.js";
import { KINDS } from "./kinds.js";
import * as messages from "./messages.js";
import { pageLanguage, showQuestion } from "./question-line.js";
import { ScreenKeys } from "./screen-keys.js";

const SKELETON_DELAY = 300; // ms

export class Screen {
  #actions;
  #answers = 0;
  #controls = { keys: {} };
  #gate;
  #leave = () => {}; // resolves what waits for a press here: something else is shown
  #onTile = false; // whether the focus was on a tile when the last challenge was left
  #parts = {};
  #root;
  #shownCount = 0;
  #skipMenu;
  #stopWaiting = () => {};
  /** The code of the problem that is on the screen, or null. */
  problem = null;

  /**
   * `submit(body)`, `skip(reason)`, `undo()` and `retry()` are called when the person asks for
   * them; `guide()` resolves to the guide of what is asked about, or to null.
   */
  constructor({ root, skipMenu, submit, skip, undo, retry, guide }) {
    this.#root = root;
    this.#actions = { submit, skip, undo, retry };
    for (const part of root.querySelectorAll("[id]")) this.#parts[part.id] = part;
    const { stage, actions, skip: skipButton } = this.#parts;
    const help = new Help({
      dialog: document.getElementById("help"),
      button: this.#parts["open-help"],
      guide,
    });
    this.#gate = new Gate({
      root,
      parts: [stage, actions, skipButton],
      onRefused: () => this.note(messages.TOO_SOON),
    });
    this.#skipMenu = skipMenu;
    skipMenu?.attach({
      skip: (reason) => this.#controls.skip?.(reason),
      mayOpen: () => Boolean(this.#controls.hasReasons) && !stage.inert && this.#gate.admits(),
    });
    skipButton.addEventListener("click", () => this.#controls.skip?.());
    new ScreenKeys({
      root,
      stage,
      controls: () => this.#controls,
      gate: this.#gate,
      help,
      skipMenu,
      undo,
    });
    root.hidden = false;
  }

  /** The time in seconds for which what is on the screen has been seen. */
  get seconds() {
    return this.#gate.seconds;
  }

  /**
   * Freeze the screen while something loads, and return the function that ends it. A skeleton
   * appears only if it takes long, and never in place of a problem, or with `skeleton: false`.
   */
  wait({ skeleton = true } = {}) {
    if (this.problem) return () => {};
    this.#stopWaiting();
    this.#onTile = Boolean(document.activeElement?.closest(".tile"));
    this.#setFrozen(true);
    const timer = skeleton && setTimeout(() => this.#setMode("loading"), SKELETON_DELAY);
    const stop = () => {
      if (this.#stopWaiting !== stop) return; // something else is shown, or waited for
      this.#stopWaiting = () => {};
      clearTimeout(timer);
      this.#setFrozen(false);
    };
    this.#stopWaiting = stop;
    return stop;
  }

  /**
   * Show a challenge: with the hint of its kind or without, and with the answer that was taken
   * back, if one was.
   */
  showChallenge(challenge, pictures, { hint = false, body = null } = {}) {
    const { kind, progress } = challenge;
    const { submit, skip } = this.#actions;
    const note = (text) => this.note(text);
    const controls = KINDS[kind]({ challenge, pictures, body, submit, note });
    showQuestion(this.#parts, challenge);
    const language = kind === "write" ? messages.writeIn(challenge.lang, pageLanguage()) : "";
    this.#say("hint", [hint && messages.firstHint(kind), language].filter(Boolean).join(" "));
    this.#showProgress(progress);
    this.#show(kind, { ...controls, skip, hasReasons: true });
    if (this.#shownCount) this.#focus(controls);
    this.#shownCount += 1;
  }

  /** Explain what a concept is; resolve to true when the person goes on, to false if they cannot. */
  showGuide(guide) {
    const { promise, press } = untilPressed(() => this.note(""));
    showQuestion(this.#parts, {
      before: gettext("What counts as"),
      subject: guide.phrase,
      lang: guide.lang,
      dir: guide.dir,
    });
    this.#parts.hint.replaceChildren(...[makeDefinition(guide)].filter(Boolean));
    const stage = makeExamples(guide) ?? make("div");
    this.#show("guide", { stage, ...goOn(press) });
    this.#focus();
    return promise;
  }

  /** Ask a practice question; resolve to yes, no, or null for who skips the practice. */
  askPractice(challenge, pictures) {
    return new Promise((resolve) => {
      const submit = ({ yes }) => {
        this.note("");
        resolve(yes);
      };
      const controls = KINDS.verify({ challenge, pictures, submit });
      showQuestion(this.#parts, challenge);
      this.#say("hint", messages.PRACTICE);
      this.#show("practice", { ...controls, skip: () => resolve(null) });
      this.#focus(controls);
    });
  }

  /** Say what is right, beside the picture; resolve when the person goes on. */
  showFeedback(result) {
    const { promise, press } = untilPressed(() => this.note(""));
    const phrase = make("bdi", { lang: result.lang }, result.phrase);
    const sentence = make("strong", {}, ...aroundPhrase(messages.feedback(result), phrase));
    const definition = result.right ? null : makeDefinition(result);
    this.#parts.hint.replaceChildren(sentence, ...[definition].filter(Boolean));
    this.#show("feedback", goOn(press));
    this.#root.dataset.right = result.right;
    this.#focus({ focus: () => this.#parts.actions.firstChild.focus({ preventScroll: true }) });
    return promise;
  }

  /** Say a sentence beside the buttons; "" takes it away. */
  note(text) {
    this.#say("note", text);
  }

  /** Say something to screen readers alone. */
  announce(text) {
    this.#say("announcement", text);
  }

  showOutcome({ message, progress, generated }) {
    this.#say("outcome", [message, generated && messages.GENERATED].filter(Boolean).join(" "));
    this.#showProgress(progress);
  }

  /** Show the progress after an answer was taken back: it may be less than before. */
  resetProgress(progress) {
    this.#answers = 0;
    this.#showProgress(progress);
  }

  showRefused(error) {
    this.note(messages.refused(error));
  }

  /**
   * `error` is the ApiError that keeps `count` answers waiting, or null. It is said once, and not
   * again with each attempt to send them.
   */
  showWaiting(count, error) {
    const text = count && error ? messages.waiting(count, error) : "";
    if (this.#parts.waiting.textContent !== text) this.#say("waiting", text);
  }

  /** `answered` says whether the person has answered anything since the page was opened. */
  /** `goElsewhere` leads to questions of another kind; null where there are none. */
  showNothingToAsk(kind, { answered, goElsewhere = null }) {
    const label = gettext("Answer questions of another kind");
    const more = goElsewhere ? [makeButton(label, { variant: "primary", press: goElsewhere })] : [];
    const words = messages.nothingToAsk(kind, { answered });
    this.#showPanel("empty", words, gettext("Look again"), more);
  }

  showExpired() {
    this.#showPanel("expired", messages.EXPIRED, gettext("Show a new one"));
  }

  showProblem(error, count) {
    const isStale = error.code === "reload";
    const button = isStale ? gettext("Reload the page") : gettext("Try again");
    this.#showPanel(error.code, messages.problem(error, count), button);
  }

  #showPanel(code, [title, text], button, more = []) {
    const press = code === "reload" ? () => location.reload() : this.#actions.retry;
    if (this.problem === code) {
      if (code === "empty") this.note(messages.STILL_NOTHING);
      return;
    }
    this.note("");
    showQuestion(this.#parts, { subject: title });
    this.#say("hint", text);
    const variant = more.length ? "" : "primary";
    const actions = [makeButton(button, { variant, press }), ...more];
    this.#show("panel", { stage: make("div"), actions, keys: {} }, code);
    this.#focus();
  }

  /** Put controls on the screen; without a stage, what is there stays. */
  #show(mode, controls, problem = null) {
    this.#stopWaiting();
    this.#leave();
    this.#leave = () => {};
    this.#controls = controls;
    if (controls.onLeave) this.#leave = controls.onLeave;
    this.#skipMenu?.close();
    if (controls.stage) this.#parts.stage.replaceChildren(controls.stage);
    this.#parts.actions.replaceChildren(...controls.actions);
    this.#setMode(mode, problem);
    if (problem) this.#gate.release();
    else this.#gate.close();
  }

  #setMode(mode, problem = null) {
    this.#root.dataset.mode = mode;
    this.problem = problem;
    this.#say("loading", mode === "loading" ? messages.COMING : "");
  }

  #setFrozen(isFrozen) {
    this.#root.toggleAttribute("aria-busy", false);
    if (isFrozen) this.#root.setAttribute("aria-busy", "true");
    this.#parts.stage.inert = this.#parts.actions.inert = isFrozen;
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

  /** Move the focus to where the person works: a tile, the controls' own place, or the question. */
  #focus({ focus, focusTile } = {}) {
    const focused = document.activeElement;
    if (focused && focused !== document.body && !this.#root.contains(focused)) return;
    if (this.#onTile && focusTile) focusTile();
    else if (focus) focus();
    else this.#parts.question.focus({ preventScroll: true });
  }
}
