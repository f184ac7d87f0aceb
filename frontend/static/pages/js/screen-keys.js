/** The keys of the challenge screen. */

import { isTypedIn } from "./dom.js";
import { keyOf } from "./keys.js";

const MOVES = /^Arrow/; // keys that answer nothing

export class ScreenKeys {
  #controls;
  #gate;
  #help;
  #root;
  #skipMenu;
  #stage;
  #undo;

  /** `controls()` returns what is on the screen now: { keys, skip, hasReasons }. */
  constructor({ root, stage, controls, gate, help, skipMenu, undo }) {
    this.#controls = controls;
    this.#gate = gate;
    this.#help = help;
    this.#root = root;
    this.#skipMenu = skipMenu;
    this.#stage = stage;
    this.#undo = undo;
    document.addEventListener("keydown", (event) => this.#handle(event));
  }

  #handle(event) {
    if (event.defaultPrevented || document.querySelector("dialog[open]")) return;
    if (isTypedIn(event.target)) return;
    const key = keyOf(event);
    if (key === "Enter" && event.target.closest("a, button, summary")) return; // it presses that
    const action = this.#actionOf(key);
    if (!action) return;
    event.preventDefault();
    if (event.repeat) return;
    this.#root.dataset.keyboard = "true"; // the keys of the tiles are shown from now on
    action();
  }

  /** Return what a key does now; answers wait until what is asked about was seen. */
  #actionOf(key) {
    if (key === "?") return () => this.#help.open();
    if (key === "z" || key === "Backspace") return this.#undo;
    if (this.#stage.inert) return undefined;
    const { keys, skip, hasReasons } = this.#controls();
    if (key === "Shift+s") return hasReasons && (() => this.#skipMenu?.open());
    const action = { ...keys, "Ctrl+Enter": keys.f ?? keys.Enter, ...(skip && { s: () => skip() }) }[key];
    if (!action || MOVES.test(key)) return action;
    return () => this.#gate.admits() && action();
  }
}
