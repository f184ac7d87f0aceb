/** Skipping for a reason: a button opens a dialog, and one press on a reason skips. */

import { keyOf } from "./keys.js";

export class SkipMenu {
  #dialog;
  #mayOpen = () => false;
  #skip = () => {};

  constructor({ dialog, button }) {
    this.#dialog = dialog;
    button.addEventListener("click", () => this.open());
    dialog.querySelector("[data-cancel]").addEventListener("click", () => dialog.close());
    for (const reason of this.#reasons) {
      reason.addEventListener("click", () => this.#choose(reason));
    }
    dialog.addEventListener("keydown", (event) => this.#key(event));
  }

  /** `skip(reason)` is what a choice calls, while `mayOpen()`. */
  attach({ skip, mayOpen }) {
    this.#skip = skip;
    this.#mayOpen = mayOpen;
  }

  open() {
    if (this.#mayOpen()) this.#dialog.showModal();
  }

  close() {
    if (this.#dialog.open) this.#dialog.close();
  }

  get #reasons() {
    return [...this.#dialog.querySelectorAll("[data-reason]")];
  }

  #choose(button) {
    this.#dialog.close();
    this.#skip(button.dataset.reason);
  }

  #key(event) {
    const reason = event.repeat ? undefined : this.#reasons[Number(keyOf(event)) - 1];
    if (!reason) return;
    event.preventDefault();
    event.stopPropagation();
    this.#choose(reason);
  }
}
