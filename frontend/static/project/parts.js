/** Show how far the cutting of pictures is, until it is done. */

import { poll, readJson } from "./poll.js";

const POLL = 2_000; // ms

const card = document.querySelector("[data-parts]");
const text = card.querySelector("[data-text]");
const bar = card.querySelector("progress");

function show(progress) {
  const doing = progress.state === "restoring" ? "Putting back" : "Cutting";
  text.textContent = progress.left ? `${doing}: ${progress.left.toLocaleString("en")} to go.` : "Done.";
  bar.max = progress.total || 1;
  bar.value = progress.left ? progress.done + progress.kept : bar.max;
  for (const name of ["cut", "whole"]) {
    card.querySelector(`[data-count="${name}"]`).textContent = progress[name].toLocaleString("en");
  }
}

if (Number(card.dataset.left)) {
  poll({
    read: () => readJson(card.dataset.parts),
    show: (progress) => {
      show(progress);
      return !progress.left;
    },
    every: POLL,
    first: POLL,
  });
}
