/** Practice: a few questions with feedback, before the first that counts. Knows no DOM. */

import { fill, gettext } from "../../shared/translate.js";
import { readList } from "./storage.js";

const DONE = "tessera.practised";

export class Practice {
  #address;
  #client;
  #project;
  #storage;

  constructor({ client, project, storage }) {
    this.#address = `/api/v1/projects/${encodeURIComponent(project)}/practice/`;
    this.#client = client;
    this.#project = project;
    this.#storage = storage;
  }

  /** Whether this person has practised here on this device, or there was nothing to practise. */
  get isDone() {
    return this.#done.includes(this.#project);
  }

  /** Return the next question as a challenge; null where there is none. */
  async next() {
    const question = await this.#client.get(this.#address);
    if (!question) {
      this.#markDone();
      return null;
    }
    const { number, total, phrase } = question;
    const sentence = gettext("Practice %(number)s of %(total)s: does this picture show %(subject)s?");
    const [before, after] = fill(sentence, { number, total }).split("%(subject)s");
    return {
      ...question,
      kind: "verify",
      before: before.trimEnd(),
      subject: phrase,
      after,
      tiles: [{ number: 1, url: question.url }],
    };
  }

  /** Resolve to what is right. */
  check({ number }, yes) {
    return this.#client.post(`${this.#address}${number}/`, { yes });
  }

  async skip() {
    this.#markDone();
    await this.#client.post(`${this.#address}skip/`);
  }

  get #done() {
    return readList(this.#storage, DONE);
  }

  #markDone() {
    this.#storage.setItem(DONE, JSON.stringify([...this.#done, this.#project]));
  }
}
