/** The strip: the last challenge made small, with what was selected, Undo, and what came of it. */

import { fill, gettext } from "../../shared/translate.js";
import { make } from "./dom.js";
import * as marks from "./marks.js";

const TWO_ROWS = 10; // tiles, from which on they fill two rows
const COPY = 128; // pixels of the longer side of a copy, enough for fine screens

export class Strip {
  #button;
  #legend;
  #list;

  /**
   * `undo()` is called when the person presses the button or the strip; the legend explains the
   * marks while there are any.
   */
  constructor({ list, button, legend, undo }) {
    this.#list = list;
    this.#legend = legend;
    this.#button = button;
    button.addEventListener("click", undo);
    list.addEventListener("click", () => !button.hidden && undo());
  }

  /** Show a challenge's tiles, with Undo for some seconds: until `close`. */
  show({ fetched: { challenge, pictures }, action, body }, seconds) {
    const { tiles } = challenge;
    const rows = tiles.length < TWO_ROWS ? 1 : 2;
    this.#list.style.setProperty("--rows", rows);
    this.#list.style.setProperty("--columns", Math.ceil(tiles.length / rows));
    this.#list.className = `strip ${action} ${rows > 1 ? "two-rows" : ""}`;
    this.#legend.hidden = true;
    const items = tiles.map((tile, at) => makeItem(tile, pictures[at], body));
    this.#list.replaceChildren(...items);
    this.#button.hidden = false;
    this.#restartCountdown(seconds);
  }

  /** Offer no undo any more. */
  close() {
    this.#button.hidden = true;
  }

  clear() {
    this.close();
    this.#legend.hidden = true;
    this.#list.replaceChildren();
  }

  /** Show what others and the model say of each tile. */
  showResult({ tiles }) {
    this.#list.classList.add("known");
    this.#legend.hidden = false;
    for (const tile of tiles) {
      const item = this.#list.querySelector(`[data-number="${tile.number}"]`);
      if (!item) continue;
      item.querySelector(".hidden-text").append(` ${marks.sentence(tile)}`);
      item.append(make("span", { class: "marks", "aria-hidden": "true" }, ...makeMarks(tile)));
      item.title = marks.sentence(tile);
    }
  }

  /** Restart the animation of the button. */
  #restartCountdown(seconds) {
    const line = this.#button.querySelector(".countdown");
    line.style.animationDuration = `${seconds}s`;
    line.replaceWith(line.cloneNode());
  }
}

function makeItem(tile, picture, body) {
  const isSelected = body.selected?.includes(tile.number) ?? false;
  const number = tile.number;
  const text = isSelected
    ? fill(gettext("Picture %(number)s: selected."), { number })
    : fill(gettext("Picture %(number)s."), { number });
  const image = picture ? makeCopy(picture) : "";
  const item = make("li", { "data-number": number }, make("span", { class: "mini" }, image));
  item.append(make("span", { class: "hidden-text" }, text));
  item.toggleAttribute("data-selected", isSelected);
  return item;
}

/** Return a small copy of a decoded picture, whose address may no longer be good: a blob's is not. */
function makeCopy(picture) {
  const { naturalWidth: width, naturalHeight: height } = picture;
  const scale = Math.min(1, COPY / Math.max(width, height));
  const size = { width: Math.ceil(width * scale), height: Math.ceil(height * scale) };
  const copy = make("canvas", { ...size, "aria-hidden": "true" });
  copy.getContext("2d").drawImage(picture, 0, 0, size.width, size.height);
  return copy;
}

function makeMarks({ others, model }) {
  return [
    ["others", marks.ofOthers(others)],
    ["model", marks.ofModel(model)],
  ].map(([who, says]) => make("span", { class: `mark ${who}`, "data-says": says }));
}
