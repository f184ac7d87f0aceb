/** The last generations of this session, to go back to. */

import { gettext } from "../shared/translate.js";
import { outcome, title, waiting } from "./messages.js";

const MAX = 12;

export class GenerationHistory {
  #section;
  #list;
  #open;
  #generations = [];

  /** `open(generation)` is called with the generation that somebody wants to see. */
  constructor(section, list, open) {
    this.#section = section;
    this.#list = list;
    this.#open = open;
  }

  fill(generations) {
    this.#generations = generations;
    this.#render();
  }

  add(generation) {
    this.#generations = [generation, ...this.#generations].slice(0, MAX);
    this.#render();
  }

  /** Take over a generation's new state; generations of others are not listed. */
  update(generation) {
    const index = this.#generations.findIndex(({ id }) => id === generation.id);
    if (index < 0 || this.#generations[index].state === generation.state) return;
    this.#generations[index] = generation;
    this.#render();
  }

  #render() {
    this.#section.hidden = this.#generations.length < 2;
    this.#list.replaceChildren(...this.#generations.map((each) => this.#item(each)));
  }

  #item(generation) {
    const button = document.createElement("button");
    button.type = "button";
    button.addEventListener("click", () => this.#open(generation));
    const name = document.createElement("span");
    name.textContent = title(generation);
    button.append(thumbnail(generation), name);
    if (generation.state !== "succeeded") button.title = status(generation);
    const item = document.createElement("li");
    item.append(button);
    return item;
  }
}

function thumbnail({ kind, samples, state }) {
  const sample = samples.at(kind === "interpolation" ? -1 : 0);
  if (!sample) return placeholder(state);
  return Object.assign(document.createElement("img"), { src: sample.url, alt: "" });
}

function placeholder(state) {
  const mark = document.createElement("span");
  mark.className = "blank";
  mark.textContent = { queued: "…", running: "…", cancelled: gettext("cancelled") }[state] ?? gettext("failed");
  return mark;
}

function status(generation) {
  const unfinished = ["queued", "running"].includes(generation.state);
  return unfinished ? waiting(generation) : outcome(generation);
}
