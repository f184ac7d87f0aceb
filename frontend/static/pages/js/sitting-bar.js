/** The bar below the question: a goal for this sitting, how far it is, and the way to its end. */

import { make, makeButton } from "./dom.js";
import { Sitting } from "./sitting.js";
import * as messages from "./sitting-messages.js";
import { SittingSummary } from "./sitting-summary.js";

const GOALS = [
  ["pictures", 20],
  ["minutes", 5],
];

export class SittingBar {
  #choices = make("div", { class: "choices" });
  #enough;
  #goal = make("p");
  #line;
  #own;
  #news = make("p", { class: "hidden-text", role: "status" });
  #root;
  #sitting;
  #summary;
  #texts = messages.texts();

  /** `root` is the empty region, `line` where the person's progress is told beside the question. */
  constructor({ root, line, client, project, storage }) {
    this.#root = root;
    this.#line = line;
    this.#sitting = new Sitting({ project, storage });
    this.#summary = new SittingSummary({
      client,
      project,
      sitting: this.#sitting,
      onClose: backToQuestion,
    });
    root.setAttribute("aria-label", this.#texts.region);
    this.#own = make("a", { class: "button quiet", href: "/your-answers/" }, this.#texts.answers);
    this.#own.hidden = true;
    root.append(this.#goal, this.#choices, this.#own, this.#news);
    this.#enough = makeButton(this.#texts.enough, {
      variant: "quiet",
      press: () => this.#summary.open(),
    });
    this.#enough.setAttribute("aria-haspopup", "dialog");
  }

  /** Take notice of what the first challenge says about the person. */
  begin(progress) {
    if (!progress) return;
    this.#sitting.begin(progress);
    this.#show(progress);
  }

  /** Take notice of an answer, or of one that was taken back. */
  update(progress) {
    if (!progress) return;
    this.#sitting.update(progress);
    this.#show(progress);
  }

  /** Show the goal: its buttons are replaced only where there are others, so that focus stays. */
  #show(progress = null) {
    if (progress?.answers) this.#own.hidden = false;
    const { goal, isReached } = this.#sitting;
    const state = goal ? (isReached ? "reached" : "chosen") : "offer";
    if (this.#root.dataset.state !== state) {
      this.#root.dataset.state = state;
      this.#choices.replaceChildren(...this.#buttons(state), this.#enough);
    }
    const news = isReached ? this.#texts.reached : "";
    if (this.#news.textContent !== news) this.#news.textContent = news; // it is read out once
    const text = goal ? messages.goalProgress(goal.kind, this.#sitting.progress) : "";
    if (goal) this.#line.textContent = isReached ? `${text}. ${this.#texts.reached}` : text;
    this.#goal.replaceChildren(...this.#progress(text, state));
  }

  #progress(text, state) {
    if (state === "offer") return [this.#texts.offer];
    if (state === "reached") return [`${text}. ${this.#texts.reached}`];
    const { done, of } = this.#sitting.progress;
    return [text, make("progress", { value: done, max: of, "aria-hidden": "true" })];
  }

  #buttons(state) {
    if (state === "chosen") return [this.#button(this.#texts.noGoal, () => this.#sitting.drop())];
    if (state === "reached") return [this.#button(this.#texts.more, () => this.#sitting.repeat())];
    return GOALS.map(([kind, amount]) =>
      this.#button(messages.goalName(kind, amount), () => this.#sitting.choose(kind, amount)),
    );
  }

  /** Make a button that changes the goal, and gives the focus back to the question. */
  #button(text, choose) {
    return makeButton(text, {
      variant: "quiet",
      press: () => {
        choose();
        this.#show();
        backToQuestion();
      },
    });
  }
}

/** Give the focus back to the question, and scroll to its beginning where that is out of view. */
function backToQuestion() {
  document.getElementById("question").focus({ preventScroll: true });
  const ask = document.getElementById("ask");
  if (ask.getBoundingClientRect().top < 0) ask.scrollIntoView({ block: "start" });
}
