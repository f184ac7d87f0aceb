/** The page of a run: poll its state until it ends. */

import { drawCurve } from "./curve.js";
import { poll, readJson } from "./poll.js";

const POLL = 2_000; // ms

const page = document.querySelector("[data-run]");
const part = (name) => page.querySelector(`[data-${name}]`);

function show(live) {
  part("headline").textContent = live.headline;
  part("details").textContent = live.details;
  part("state").className = `run-state ${live.state}`;
  const bar = part("bar");
  if (live.fraction === null) bar.removeAttribute("value");
  else bar.value = live.fraction;
  if (live.log) part("log").textContent = live.log;
  drawCurve(part("curve"), live.curve);
  if (part("samples")) showSamples(part("samples"), live.samples);
}

/** Add the sample grids that are new, the newest first. */
function showSamples(container, samples) {
  const shown = new Set([...container.querySelectorAll("img")].map((image) => image.getAttribute("src")));
  const fresh = samples.filter((sample) => !shown.has(sample.url));
  if (fresh.length === 0) return;
  container.querySelector("p")?.remove();
  container.prepend(...fresh.map(makeFigure));
}

function makeFigure({ step, url }) {
  const image = Object.assign(new Image(), {
    src: url,
    alt: `Pictures of the fixed prompts after step ${step}`,
  });
  const caption = document.createElement("figcaption");
  caption.textContent = `step ${step.toLocaleString("en")}`;
  const figure = document.createElement("figure");
  figure.append(image, caption);
  return figure;
}

poll({
  read: () => readJson(page.dataset.live),
  show: (live) => {
    show(live);
    if (live.version !== page.dataset.version) location.reload();
    return live.final;
  },
  every: POLL,
  setLost: (isLost) => {
    part("lost").hidden = !isLost;
  },
});
