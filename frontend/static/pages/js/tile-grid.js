/** The tiles as toggle buttons in an ARIA grid, one of them in the tab order. */

import { fill, gettext } from "../../shared/translate.js";
import { make } from "./dom.js";
import { keyOfTile } from "./keys.js";

export class TileGrid {
  #buttons;
  #columns;
  #onChange;

  /** `selected` are the numbers selected at first; `onChange(grid)` is called after each toggle. */
  constructor({ challenge, pictures, selected = [], onChange }) {
    this.#columns = challenge.columns;
    this.#onChange = onChange;
    this.#buttons = challenge.tiles.map((tile, at) =>
      makeTile(tile, pictures[at], selected.includes(tile.number)),
    );
    this.element = this.#makeGrid(challenge, pictures);
    this.#setTabStop(0);
  }

  /** The numbers of the selected tiles, as shown. */
  get selected() {
    return this.#buttons.filter(isPressed).map((button) => Number(button.dataset.number));
  }

  toggle(number) {
    const at = this.#buttons.findIndex((button) => button.dataset.number === String(number));
    if (at < 0) return;
    const button = this.#buttons[at];
    button.setAttribute("aria-pressed", String(!isPressed(button)));
    this.#setTabStop(at);
    this.#onChange(this);
  }

  /** Focus the tile that is in the tab order. */
  focus() {
    this.#buttons.find((button) => button.tabIndex === 0).focus({ preventScroll: true });
  }

  #makeGrid(challenge, pictures) {
    const grid = make("div", {
      class: `tile-grid ${challenge.kind}`,
      role: "grid",
      "aria-labelledby": "question",
    });
    grid.style.setProperty("--columns", this.#columns);
    const [{ naturalWidth, naturalHeight }] = pictures;
    const ratio = challenge.kind === "split" ? naturalWidth / naturalHeight : 1;
    grid.style.setProperty("--ratio", ratio || 1);
    for (let at = 0; at < this.#buttons.length; at += this.#columns) {
      grid.append(makeRow(this.#buttons.slice(at, at + this.#columns)));
    }
    grid.addEventListener("click", (event) => {
      const tile = event.target.closest(".tile");
      if (tile) this.toggle(tile.dataset.number);
    });
    grid.addEventListener("keydown", (event) => this.#move(event));
    grid.addEventListener("focusin", (event) => this.#setTabStop(this.#buttons.indexOf(event.target)));
    return grid;
  }

  /** Arrows, Home and End move the focus; at an edge it stays where it is. */
  #move(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const at = this.#buttons.indexOf(event.target);
    const to = this.#target(event.key, at);
    if (at < 0 || to === undefined) return;
    event.preventDefault();
    this.#setTabStop(to);
    this.#buttons[to].focus();
  }

  #target(key, at) {
    const columns = this.#columns;
    const column = at % columns;
    const forward = getComputedStyle(this.element).direction === "rtl" ? "ArrowLeft" : "ArrowRight";
    const backward = forward === "ArrowLeft" ? "ArrowRight" : "ArrowLeft";
    const last = this.#buttons.length - 1;
    return {
      [forward]: column < columns - 1 ? Math.min(at + 1, last) : at,
      [backward]: column > 0 ? at - 1 : at,
      ArrowUp: at >= columns ? at - columns : at,
      ArrowDown: at + columns <= last ? at + columns : at,
      Home: at - column,
      End: Math.min(at - column + columns - 1, last),
    }[key];
  }

  #setTabStop(index) {
    if (index < 0) return;
    this.#buttons.forEach((button, at) => {
      button.tabIndex = at === index ? 0 : -1;
    });
  }
}

function isPressed(button) {
  return button.getAttribute("aria-pressed") === "true";
}

function makeTile(tile, picture, isSelected) {
  const key = keyOfTile(tile.number);
  const button = make("button", {
    type: "button",
    class: "tile",
    "data-number": tile.number,
    "aria-pressed": String(isSelected),
    "aria-label": fill(gettext("Picture %(number)s"), { number: tile.number }),
    ...(key && { "aria-keyshortcuts": key }),
  });
  button.append(
    picture,
    make("span", { class: "number", "aria-hidden": "true" }, key),
    make("span", { class: "check", "aria-hidden": "true" }),
  );
  return button;
}

function makeRow(buttons) {
  const cells = buttons.map((button) => make("div", { class: "cell", role: "gridcell" }, button));
  return make("div", { class: "row", role: "row" }, ...cells);
}
