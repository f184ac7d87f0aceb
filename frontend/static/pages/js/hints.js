/** Which kinds of question somebody knows: the hint is shown until the first answer of a kind. */

import { readList } from "./storage.js";

const KNOWN = "tessera.known-kinds";

export class Hints {
  #storage;

  constructor(storage) {
    this.#storage = storage;
  }

  knows(kind) {
    return this.#kinds.includes(kind);
  }

  learn(kind) {
    if (this.knows(kind)) return;
    try {
      this.#storage.setItem(KNOWN, JSON.stringify([...this.#kinds, kind]));
    } catch {
      // a storage that is full or forbidden: the hint is shown again
    }
  }

  get #kinds() {
    return readList(this.#storage, KNOWN);
  }
}
