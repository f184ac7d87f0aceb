/** Explain the concept that is asked about: before its first question, and in the help. */

export class Explanations {
  /** The challenge or practice question that the help explains. */
  asked = null;
  #guides;
  #showGuide;

  /** `showGuide(guide)` resolves to whether the person went on. */
  constructor({ guides, showGuide }) {
    this.#guides = guides;
    this.#showGuide = showGuide;
  }

  /** Resolve to the guide of what is asked about, or to null. */
  current() {
    return this.asked ? this.#guides.of(this.asked) : null;
  }

  /** Resolve to a guide that this person has not seen yet, or to null. */
  unseen(challenge) {
    return this.#guides.unseen(challenge);
  }

  /** Show a guide before its challenge; resolve when the person goes on. */
  async show(challenge, guide) {
    this.asked = challenge;
    if (await this.#showGuide(guide)) this.#guides.markSeen(challenge);
  }
}
