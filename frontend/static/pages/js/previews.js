/** Challenges of a preview: they are shown like any other, and answers go nowhere. */

import { gettext } from "../../shared/translate.js";

const NOTHING_RECORDED = gettext("Nothing was recorded: this is the preview.");

export class Previews {
  #client;
  #address;

  constructor(client, address) {
    this.#client = client;
    this.#address = address;
  }

  /** Choose a challenge; null when nothing can be asked. */
  issue({ kind = null }) {
    return this.#client.get(kind ? `${this.#address}?kind=${kind}` : this.#address);
  }

  async answer() {
    return { message: NOTHING_RECORDED, progress: { answers: 0, labels: 0 } };
  }

  async skip() {
    return { progress: { answers: 0, labels: 0 } };
  }
}
