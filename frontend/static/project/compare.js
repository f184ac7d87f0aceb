/** Two models' pictures side by side: poll while some are being drawn. */

import { poll, readJson } from "./poll.js";

const POLL = 1_500; // ms

const section = document.querySelector("[data-compare]");

function show(pairs) {
  section.querySelectorAll("[data-row]").forEach((row, index) => {
    for (const side of ["model", "other"]) showSide(row, side, pairs.rows[index]);
  });
  const underWay = pairs.unfinished ? `, ${pairs.unfinished} under way` : "";
  section.querySelector("[data-state]").textContent = `${pairs.drawn} of ${pairs.of} drawn${underWay}.`;
}

function showSide(row, name, { prompt, [name]: side }) {
  const container = row.querySelector(`[data-side="${name}"]`);
  const note = container.querySelector("[data-note]");
  note.textContent = side.note;
  const shown = [...container.querySelectorAll("img")].map((image) => image.getAttribute("src"));
  if (shown.join() === side.pictures.join()) return;
  container.querySelectorAll("img").forEach((image) => image.remove());
  const by = container.querySelector(".by").textContent;
  note.before(...side.pictures.map((src) => makeImage(src, `${prompt}, drawn by ${by}`)));
}

function makeImage(src, alt) {
  return Object.assign(new Image(128, 128), { src, alt });
}

function setLost(isLost) {
  if (!isLost) return;
  section.querySelector("[data-state]").textContent = "The server cannot be reached; trying again.";
}

if (section && section.dataset.unfinished !== "0") {
  poll({
    read: () => readJson(section.dataset.live),
    show: (pairs) => {
      show(pairs);
      return pairs.unfinished === 0;
    },
    every: POLL,
    first: POLL,
    setLost,
  });
}
