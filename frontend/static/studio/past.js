/** The last drawings of this session, to go back to. */

import { ended, title, waiting } from "./words.js";

export class Past {
  #section;
  #list;
  #open;
  #drawings = [];

  /** `open(drawing)` is called with the drawing that somebody wants to see. */
  constructor(section, list, open) {
    this.#section = section;
    this.#list = list;
    this.#open = open;
  }

  fill(drawings) {
    this.#drawings = drawings;
    this.#render();
  }

  /** A drawing that is new, or has changed. */
  keep(drawing) {
    const at = this.#drawings.findIndex((one) => one.id === drawing.id);
    if (at < 0) return; // somebody else's
    if (this.#drawings[at].state === drawing.state) return;
    this.#drawings[at] = drawing;
    this.#render();
  }

  add(drawing) {
    this.#drawings = [drawing, ...this.#drawings].slice(0, 12);
    this.#render();
  }

  #render() {
    this.#section.hidden = this.#drawings.length < 2;
    this.#list.replaceChildren(...this.#drawings.map((drawing) => this.#item(drawing)));
  }

  #item(drawing) {
    const item = document.createElement("li");
    const button = document.createElement("button");
    button.type = "button";
    button.addEventListener("click", () => this.#open(drawing));
    const first = drawing.samples.at(drawing.kind === "interpolation" ? -1 : 0);
    if (first) {
      const image = document.createElement("img");
      image.src = first.url;
      image.alt = "";
      button.append(image);
    } else {
      button.append(blank(drawing.state));
    }
    const name = document.createElement("span");
    name.textContent = title(drawing);
    button.append(name);
    if (drawing.state !== "succeeded") button.title = told(drawing);
    item.append(button);
    return item;
  }
}

function blank(state) {
  const mark = document.createElement("span");
  mark.className = "blank";
  mark.textContent = { queued: "…", running: "…", cancelled: "cancelled" }[state] ?? "failed";
  return mark;
}

function told(drawing) {
  return ["queued", "running"].includes(drawing.state) ? waiting(drawing) : ended(drawing);
}
