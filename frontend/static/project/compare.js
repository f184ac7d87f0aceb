/** Two models' pictures side by side: poll while some are being drawn. */

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

async function follow() {
  try {
    const response = await fetch(section.dataset.live, { headers: { Accept: "application/json" } });
    if (response.ok && !response.redirected) {
      const pairs = await response.json();
      show(pairs);
      if (pairs.unfinished === 0) return;
    }
  } catch {
    section.querySelector("[data-state]").textContent = "The server cannot be reached; trying again.";
  }
  setTimeout(follow, POLL);
}

if (section && section.dataset.unfinished !== "0") setTimeout(follow, POLL);
