/** Let newcomers practise on the screen, if there is anything to practise on. */

import { ApiError } from "../../shared/client.js";
import { loadPictures } from "./pictures.js";

export class PracticeRound {
  #explanations;
  #practice;
  #screen;

  constructor({ practice, screen, explanations }) {
    this.#explanations = explanations;
    this.#practice = practice;
    this.#screen = screen;
  }

  /** Ask one question after the other; resolve at the end, or if the server fails. */
  async run() {
    try {
      while (await this.#askOne());
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
    }
  }

  /** Ask a practice question and show what is right; return whether there may be another one. */
  async #askOne() {
    const fetched = await this.#fetch();
    if (!fetched) return false;
    const { question, guide, pictures } = fetched;
    if (guide) await this.#explanations.show(question, guide);
    this.#explanations.asked = question;
    const yes = await this.#screen.askPractice(question, pictures);
    if (yes === null) {
      this.#practice.skip().catch(() => {});
      return false;
    }
    const result = await this.#practice.check(question, yes);
    await this.#screen.showFeedback(result);
    return true;
  }

  /** Return the next question with its guide and picture; null where there is none. */
  async #fetch() {
    const stopWaiting = this.#screen.wait();
    try {
      const question = await this.#practice.next();
      if (!question) return null;
      const [guide, pictures] = await Promise.all([
        this.#explanations.unseen(question),
        loadPictures(question),
      ]);
      return { question, guide, pictures };
    } finally {
      stopWaiting();
    }
  }
}
