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

/** Show how far each export is; return those that have ended since. */
function show(exports) {
  const ended = [];
  for (const { id, state, progress, status } of exports) {
    const bar = list.querySelector(`[data-export="${id}"] [data-bar]`);
    if (!bar) continue;
    if (state !== "writing") ended.push(id);
    bar.value = progress;
    bar.closest("li").querySelector("[data-status]").textContent = status;
  }
  return ended;
}

/** Put what has become of exports in place of their progress, and leave the form as it is. */
async function replace(ids) {
  const response = await fetch(location.href);
  if (!response.ok || response.redirected) throw new Error(response.statusText);
  const page = new DOMParser().parseFromString(await response.text(), "text/html");
  for (const id of ids) {
    const fresh = page.querySelector(`[data-export="${id}"]`);
    if (!fresh) continue;
    list.querySelector(`[data-export="${id}"]`).replaceWith(fresh);
    document.querySelector("[data-live]").textContent = fresh.querySelector("h3, p").textContent;
  }
}

if (list) {
  poll({
    read: async () => {
      const ended = show((await readJson(list.dataset.working)).results);
      if (ended.length) await replace(ended);
    },
    show: () => !list.querySelector("[data-bar]"),
    every: POLL,
    first: POLL,
  });
}
