/**
 * The gate before the answers: lets no press through that was made before the pictures were seen,
 * that began on an earlier screen, or that a key makes by being held down.
 */

import { Seen, SEEN_AFTER } from "./seen.js";

const PRESSED = new Set(["Enter", " "]);

export class Gate {
  #isReleased = false; // whether nothing is asked
  #onRefused;
  #parts;
  #pointerScreen = 0; // the screen on which the last press of a pointer was let through
  #root;
  #seen;
  #timer = 0;

  /** `parts` are the elements whose presses answer; `onRefused()` is called for presses too soon. */
  constructor({ root, parts, onRefused, seen = new Seen() }) {
    this.#root = root;
    this.#parts = parts;
    this.#onRefused = onRefused;
    this.#seen = seen;
    root.addEventListener("pointerdown", () => this.#beginPress(), true);
    root.addEventListener("click", (event) => this.#click(event), true);
    root.addEventListener("keydown", (event) => this.#key(event), true);
    document.addEventListener("visibilitychange", () => this.#followVisibility());
    this.#followVisibility();
  }

  /** The time in seconds for which what is on the screen has been seen. */
  get seconds() {
    return Math.round(this.#seen.time / 100) / 10;
  }

  get isOpen() {
    return this.#isReleased || this.#seen.isLongEnough;
  }

  /** Return whether an answer may be given; if not, say so to whoever gave it. */
  admits() {
    if (!this.isOpen) this.#onRefused();
    return this.isOpen;
  }

  /** Close until the pictures in the root are painted and have been seen. */
  async close() {
    this.#isReleased = false;
    this.#seen.restart();
    this.#open();
    const { screen } = this.#seen;
    const pictures = [...this.#root.querySelectorAll("#stage img")];
    await Promise.all(pictures.map((picture) => picture.decode().catch(() => {})));
    await frame();
    await frame(); // the first one is called before it is painted
    if (screen !== this.#seen.screen) return;
    this.#seen.paint();
    this.#open();
  }

  /** Let every press through, on a screen that asks nothing. */
  release() {
    this.#isReleased = true;
    this.#seen.restart();
    this.#open();
  }

  #followVisibility() {
    this.#seen.setVisible(!document.hidden);
    this.#open();
  }

  /** Mark the root where it is open, or once it will be. */
  #open() {
    clearTimeout(this.#timer);
    this.#root.toggleAttribute("data-seen", this.isOpen);
    if (this.isOpen || !this.#seen.isCounting) return;
    this.#timer = setTimeout(() => this.#open(), SEEN_AFTER - this.#seen.time + 1);
  }

  #guards(target) {
    const control = target.closest("button");
    return control !== null && this.#parts.some((part) => part.contains(control));
  }

  #beginPress() {
    this.#pointerScreen = this.isOpen ? this.#seen.screen : 0;
  }

  #click(event) {
    if (!this.#guards(event.target)) return;
    const isOfScreen = event.detail === 0 || this.#pointerScreen === this.#seen.screen;
    if (this.#isReleased || (this.isOpen && isOfScreen)) return;
    refuse(event);
    this.#onRefused();
  }

  #key(event) {
    if (!PRESSED.has(event.key) || !(event.target instanceof Element)) return;
    const isHeld = event.repeat && this.#guards(event.target);
    const isTooSoon = !this.isOpen && this.#parts.some((part) => part.contains(event.target));
    const isTyped = event.key === " " && event.target.matches("input, textarea");
    if (isHeld || (isTooSoon && !isTyped)) refuse(event);
    if (isTooSoon && !isTyped && !event.repeat) this.#onRefused();
  }
}

function refuse(event) {
  event.preventDefault();
  event.stopImmediatePropagation();
}

function frame() {
  return new Promise((resolve) => requestAnimationFrame(resolve));
}
