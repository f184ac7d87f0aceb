/** Keys for reviewers: a button or link names its key in data-key; arrows walk the queue. */

const ARROWS = { arrowright: "j", arrowleft: "k" };

function isTyping(target) {
  return target.closest('input:not([type="checkbox"]), select, textarea, [contenteditable]') !== null;
}

/** Return the tile that a key leads to from the focused one, in rows as they are laid out. */
function neighbour(tiles, at, key) {
  if (at < 0) return tiles[0];
  const top = (tile) => Math.round(tile.getBoundingClientRect().top);
  const columns = tiles.filter((tile) => top(tile) === top(tiles[0])).length;
  const step = { arrowright: 1, j: 1, arrowleft: -1, k: -1, arrowdown: columns, arrowup: -columns }[key];
  return step && tiles[at + step];
}

/** Walk the rows of a list with the arrows, or press the focused row's button for a key. */
function useRows(rows, key) {
  const all = [...rows.children];
  const at = all.indexOf(document.activeElement.closest("[data-rows] > *"));
  const step = { arrowdown: 1, j: 1, arrowup: -1, k: -1 }[key];
  if (step) {
    const row = all[at < 0 ? 0 : at + step];
    row?.querySelector("[data-choice]")?.focus();
    return Boolean(row);
  }
  const button = all[at]?.querySelector(`[data-choice="${key}"]`);
  if (button && !leaving) {
    leaving = true;
    button.click();
  }
  return Boolean(button);
}

let leaving = false; // one decision a page, however long a key is held

addEventListener("pageshow", () => (leaving = false));

addEventListener("keydown", (event) => {
  if (event.repeat || event.ctrlKey || event.altKey || event.metaKey || isTyping(event.target)) return;
  const key = event.key.toLowerCase();
  const queue = document.querySelector("[data-queue]");
  if (queue) {
    const tiles = [...queue.querySelectorAll("a")];
    const isStep = key.startsWith("arrow") || key === "j" || key === "k";
    const at = tiles.findIndex((tile) => tile.closest("li").contains(document.activeElement));
    const scrolls = at < 0 && (key === "arrowdown" || key === "arrowup");
    const tile = isStep && !scrolls && neighbour(tiles, at, key);
    if (tile) {
      tile.focus();
      event.preventDefault();
    }
    return;
  }
  const rows = document.querySelector("[data-rows]");
  if (rows && useRows(rows, key)) {
    event.preventDefault();
    return;
  }
  const controls = [...document.querySelectorAll("[data-key]")];
  const control = controls.find((element) => element.dataset.key.toLowerCase() === (ARROWS[key] ?? key));
  if (control && !leaving) {
    leaving = true;
    event.preventDefault();
    control.click();
  }
});
