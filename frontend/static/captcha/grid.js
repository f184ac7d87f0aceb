/** A round of pictures: check boxes over the parts of one sheet. Arrows move, Space toggles. */

import { make } from "../pages/js/dom.js";
import { fill } from "../shared/translate.js";
import { questionParts } from "./question.js";

/** Return what shows a round whose sheet is at `url`: { stage, label(), answer() }. */
export function showGrid({ round, url, strings, onChange }) {
  const boxes = Array.from({ length: round.count }, (_, at) =>
    make("input", {
      type: "checkbox",
      value: at + 1,
      "aria-label": fill(strings.picture, { number: at + 1 }),
    }),
  );
  const heading = make("h1", { tabindex: "-1" }, ...questionParts(round));
  const tiles = make(
    "div",
    { class: "tiles" },
    ...boxes.map((box, at) => makeTile(box, { at, url, round })),
  );
  tiles.addEventListener("change", onChange);
  tiles.addEventListener("keydown", (event) => move(event, boxes, round.columns));
  const stage = make("fieldset", {}, make("legend", {}, heading), tiles);
  const selected = () => boxes.filter((box) => box.checked).map((box) => Number(box.value));
  return {
    stage,
    answer: () => ({ selected: selected() }),
    label: () => {
      const count = selected().length;
      return count ? fill(strings.submit_count, { count }) : strings.none;
    },
  };
}

/** Make a tile: the check box lies, unseen, over the picture. */
function makeTile(box, { at, url, round: { columns, count } }) {
  const picture = make("span", { class: "picture" });
  const rows = Math.ceil(count / columns);
  const place = (index, parts) => `${(100 * index) / Math.max(parts - 1, 1)}%`;
  picture.style.backgroundImage = `url("${url}")`;
  picture.style.backgroundSize = `${100 * columns}% ${100 * rows}%`;
  picture.style.backgroundPosition = `${place(at % columns, columns)} ${place(Math.floor(at / columns), rows)}`;
  return make("label", { class: "tile" }, box, picture, make("span", { class: "check" }));
}

/** Arrows, Home and End move the focus; at an edge it stays where it is. */
function move(event, boxes, columns) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const at = boxes.indexOf(event.target);
  const step = getComputedStyle(event.target).direction === "rtl" ? -1 : 1;
  const column = at % columns;
  const sideways = (by) => (column + by < 0 || column + by >= columns ? at : at + by);
  const to = {
    ArrowRight: sideways(step),
    ArrowLeft: sideways(-step),
    ArrowUp: at - columns,
    ArrowDown: at + columns,
    Home: at - column,
    End: at - column + columns - 1,
  }[event.key];
  if (at < 0 || to === undefined) return;
  event.preventDefault();
  boxes[to]?.focus();
}
