/** The page of exports: a format's options as soon as it is chosen, and how far exports are. */

import { poll, readJson } from "./poll.js";

const POLL = 2_000; // ms

const formats = document.querySelector(".format");
const list = document.querySelector("[data-working]");

if (formats) {
  formats.querySelector(".choose-format").hidden = true;
  formats.addEventListener("change", () => {
    formats.elements.snapshot.value = document.querySelector("#snapshot").value;
    formats.requestSubmit();
  });
}

/** Show how far each export is; return whether one of them has ended. */
function show(exports) {
  let isOver = false;
  for (const { id, state, progress, status } of exports) {
    const bar = list.querySelector(`[data-export="${id}"] [data-bar]`);
    if (!bar) continue;
    if (state !== "writing") isOver = true;
    bar.value = progress;
    bar.closest("li").querySelector("[data-status]").textContent = status;
  }
  return isOver;
}

if (list) {
  poll({
    read: () => readJson(list.dataset.working),
    show: ({ results }) => {
      const isOver = show(results);
      if (isOver) location.reload();
      return isOver;
    },
    every: POLL,
    first: POLL,
  });
}
