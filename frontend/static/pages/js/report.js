/**
 * Reporting that something is wrong with a picture: a button turns it on, then a picture is chosen
 * by click, key or Enter, and a dialog asks what is wrong.
 */

import { fill, gettext } from "../../shared/translate.js";
import { isTypedIn } from "./dom.js";
import { keyOf, tileOf } from "./keys.js";

const CHOOSE = gettext("Choose the picture that something is wrong with, or press Esc.");
const CHOOSE_SENTENCE = gettext(
  "Choose the sentence that something is wrong with: 1, 2, or 3 for the one in the question. Esc leaves.",
);
const SENTENCES = 3; // of a question without a picture: two to choose from, and the one above
const OF_PICTURES = ["cut_off", "broken"]; // what can be wrong with no sentence

export class Reporter {
  #actions;
  #button;
  #dialog;
  #error;
  #form;
  #number = 0;
  #root;
  #stage;

  /** `send(number, body)` resolves when the report has arrived; `say(text)` shows a sentence. */
  constructor({ root, dialog, send, say, done }) {
    this.#root = root;
    this.#dialog = dialog;
    this.#actions = { send, say, done };
    this.#button = root.querySelector("#report");
    this.#stage = root.querySelector("#stage");
    this.#form = dialog.querySelector("form");
    this.#error = dialog.querySelector("[role=alert]");
    this.#button.addEventListener("click", () => this.#press());
    this.#stage.addEventListener("click", (event) => this.#click(event), true);
    document.addEventListener("keydown", (event) => this.#key(event), true);
    dialog.querySelector("[data-cancel]").addEventListener("click", () => dialog.close());
    this.#form.addEventListener("submit", (event) => this.#submit(event));
  }

  get #on() {
    return this.#button.getAttribute("aria-pressed") === "true";
  }

  /** Start over: another challenge is on the screen. */
  reset() {
    this.#set(false);
    if (this.#dialog.open) this.#dialog.close();
  }

  #set(on) {
    this.#button.setAttribute("aria-pressed", String(on));
    this.#root.toggleAttribute("data-reporting", on);
  }

  #press() {
    const many = this.#stage.querySelector(".tile, .sentence");
    if (!many && this.#stage.querySelector("img")) return this.#open(1);
    this.#set(Boolean(many) && !this.#on);
    const choose = this.#asksBySentences ? CHOOSE_SENTENCE : CHOOSE;
    this.#actions.say(this.#on ? choose : "");
  }

  #click(event) {
    const tile = this.#on && event.target.closest(".tile, .sentence");
    if (!tile || !this.#has(Number(tile.dataset.number))) return;
    event.preventDefault();
    event.stopPropagation();
    this.#open(Number(tile.dataset.number));
  }

  #key(event) {
    if (event.repeat || document.querySelector("dialog[open]")) return;
    if (isTypedIn(event.target)) return;
    const key = keyOf(event);
    const handled = this.#on ? this.#choose(key, event.target) : this.#begin(key);
    if (!handled) return;
    event.preventDefault();
    event.stopPropagation();
  }

  #begin(key) {
    const isShown = this.#button.checkVisibility({ visibilityProperty: true });
    const usable = key === "r" && !this.#stage.inert && isShown;
    if (usable) this.#press();
    return usable;
  }

  /** Choose a picture by its key, or the focused one; Escape and R leave. */
  #choose(key, target) {
    const tile = target.closest(".tile");
    if (key === "Escape" || key === "r") {
      this.#set(false);
      this.#actions.say("");
    } else if (this.#has(tileOf(key))) this.#open(tileOf(key));
    else if ((key === "Enter" || key === " ") && tile) this.#open(Number(tile.dataset.number));
    else return false;
    return true;
  }

  get #asksBySentences() {
    return Boolean(this.#stage.querySelector(".sentence"));
  }

  #has(number) {
    if (!this.#asksBySentences) return Boolean(this.#tile(number));
    return number >= 1 && number <= SENTENCES;
  }

  #tile(number) {
    return this.#stage.querySelector(`.tile[data-number="${number}"]`);
  }

  #open(number) {
    this.#set(false);
    this.#actions.say("");
    this.#number = number;
    this.#form.reset();
    for (const kind of OF_PICTURES) {
      this.#form.querySelector(`[value="${kind}"]`).closest("label").hidden = this.#asksBySentences;
    }
    this.#error.textContent = "";
    this.#dialog.showModal();
  }

  async #submit(event) {
    event.preventDefault();
    const { kind, text } = Object.fromEntries(new FormData(this.#form));
    const number = this.#number;
    const button = this.#form.querySelector("button.primary");
    button.disabled = true;
    try {
      await this.#actions.send(number, { kind, text });
    } catch (error) {
      const text = gettext("Not sent. %(reason)s Try again.");
      this.#error.textContent = fill(text, { reason: error.message });
      return;
    } finally {
      button.disabled = false;
    }
    this.#dialog.close();
    const tile = this.#tile(number);
    tile?.setAttribute("data-reported", "");
    tile?.setAttribute("aria-label", fill(gettext("Picture %(number)s, reported"), { number }));
    this.#actions.done();
  }
}
