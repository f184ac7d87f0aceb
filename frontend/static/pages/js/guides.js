/**
 * What concepts mean: each guide is loaded once, and shown before the first question about it.
 *
 * Which were seen is kept on this device: visitors have no account, and a challenge is to cost no
 * further query. A guide whose content has changed counts as new. Knows no DOM.
 */

import { readList } from "./storage.js";

const SEEN = "tessera.seen-guides";
const MAX_SEEN = 500; // the oldest are forgotten

export class Guides {
  #get;
  #load;
  #storage;
  #guides = new Map(); // promises by address and version

  /** `get(address)` resolves to a guide; `load(example)` to its picture. */
  constructor({ get, load, storage }) {
    this.#get = get;
    this.#load = load;
    this.#storage = storage;
  }

  /** Return the guide of what a challenge is about, with pictures; null where it says nothing. */
  async of({ guide, guide_version: version }) {
    if (!guide || !version) return null;
    const key = `${guide} ${version}`;
    if (!this.#guides.has(key)) this.#guides.set(key, this.#fetch(guide));
    try {
      return await this.#guides.get(key);
    } catch {
      this.#guides.delete(key); // a question is asked without its guide rather than not at all
      return null;
    }
  }

  /** Return that guide if this person has not seen it. */
  async unseen(challenge) {
    return this.#isSeen(challenge) ? null : this.of(challenge);
  }

  markSeen({ concept, guide_version: version }) {
    const others = this.#seen.filter(([id]) => id !== concept);
    this.#storage.setItem(SEEN, JSON.stringify([...others, [concept, version]].slice(-MAX_SEEN)));
  }

  #isSeen({ concept, guide_version: version }) {
    return this.#seen.some(([id, seen]) => id === concept && seen === version);
  }

  get #seen() {
    return readList(this.#storage, SEEN).filter(Array.isArray);
  }

  async #fetch(address) {
    const guide = await this.#get(address);
    const pictures = await Promise.all(
      guide.examples.map((example) => this.#load(example).catch(() => null)),
    );
    const examples = guide.examples.map((example, at) => ({ ...example, picture: pictures[at] }));
    return { ...guide, examples: examples.filter(({ picture }) => picture) };
  }
}
