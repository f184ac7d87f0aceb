/** Show how far the cutting of pictures is, until it is done. */

const EVERY = 2_000; // ms

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

async function watch() {
  try {
    const response = await fetch(card.dataset.parts);
    if (response.ok) {
      const progress = await response.json();
      show(progress);
      if (!progress.left) return;
    }
  } catch {
    // The server is away for a moment: ask again.
  }
  setTimeout(watch, EVERY);
}

if (Number(card.dataset.left)) setTimeout(watch, EVERY);
