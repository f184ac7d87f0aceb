// Keys for reviewers. A button or link names its key in data-key; the wall is walked with arrows.

const ARROWS = { arrowright: "j", arrowleft: "k" };

function typing(target) {
  return target.closest("input, select, textarea, [contenteditable]") !== null;
}

/** The tile that a key leads to from the focused one, in rows as they are laid out. */
function neighbour(tiles, at, key) {
  if (at < 0) return tiles[0];
  const columns = tiles.filter((tile) => tile.offsetTop === tiles[0].offsetTop).length;
  const step = { arrowright: 1, j: 1, arrowleft: -1, k: -1, arrowdown: columns, arrowup: -columns }[key];
  return step && tiles[at + step];
}

let leaving = false; // one decision a page, however long a key is held

addEventListener("pageshow", () => (leaving = false));

addEventListener("keydown", (event) => {
  if (event.repeat || event.ctrlKey || event.altKey || event.metaKey || typing(event.target)) return;
  const key = event.key.toLowerCase();
  const wall = document.querySelector("[data-wall]");
  if (wall) {
    const tiles = [...wall.querySelectorAll("a")];
    const walking = key.startsWith("arrow") || key === "j" || key === "k";
    const at = tiles.indexOf(document.activeElement);
    const scrolling = at < 0 && (key === "arrowdown" || key === "arrowup");
    const tile = walking && !scrolling && neighbour(tiles, at, key);
    if (tile) {
      tile.focus();
      event.preventDefault();
    }
    return;
  }
  const named = [...document.querySelectorAll("[data-key]")];
  const found = named.find((element) => element.dataset.key.toLowerCase() === (ARROWS[key] ?? key));
  if (found && !leaving) {
    leaving = true;
    event.preventDefault();
    found.click();
  }
});
