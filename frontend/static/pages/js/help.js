/** The help: keys, instructions, and what is asked about, once its guide is there. */

import { make } from "./dom.js";
import { makeDefinition, makeExamples } from "./guide-card.js";

export class Help {
  #dialog;
  #guide;

  /** `guide()` resolves to the guide of what is asked about, or to null. */
  constructor({ dialog, button, guide }) {
    this.#dialog = dialog;
    this.#guide = guide;
    button.addEventListener("click", () => this.open());
  }

  async open() {
    const part = this.#dialog.querySelector("#help-guide");
    part.hidden = true;
    this.#dialog.showModal();
    const guide = await this.#guide();
    if (!guide) return;
    const { lang, dir } = guide;
    const title = make("h3", {}, make("span", { lang, dir }, guide.phrase));
    const parts = [makeDefinition(guide), makeExamples(guide, "h4")].filter(Boolean);
    part.replaceChildren(title, ...parts);
    part.hidden = false;
  }
}
