/** Draw a loss curve as SVG: each loss, faint, and their running mean; few losses as points. */

const SVG = "http://www.w3.org/2000/svg";
const WIDTH = 560;
const HEIGHT = 220;
const LEFT = 52;
const RIGHT = 8;
const BOTTOM = 24;
const TOP = 10;
const SMOOTH = 0.85;
const FEW = 12; // points that are marked each
const GAP = 5; // times the usual distance between two steps

/** Return the points that can be drawn: [step, loss] of finite numbers, by step. */
export function drawable(points) {
  return points
    .filter(([step, loss]) => Number.isFinite(step) && Number.isFinite(loss))
    .sort(([a], [b]) => a - b);
}

/**
 * Return the lowest and the highest loss that the chart shows. Of a long curve, the highest 2 % are
 * cut off; of a short one (up to 50 points), nothing is. A flat curve gets room above and below.
 */
export function rangeOf(points) {
  const values = points.map(([, loss]) => loss).sort((a, b) => a - b);
  const low = values[0];
  const high = values[Math.ceil(0.98 * values.length) - 1];
  if (high > low) return [low, high];
  const room = Math.abs(low) / 10 || 1;
  return [low - room, low + room];
}

/** Return round numbers about evenly between two values, at least two. */
export function ticksOf(low, high) {
  const rough = (high - low) / 3;
  const size = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * size).find((each) => each >= rough * 0.999);
  const ticks = [];
  for (let n = Math.ceil(low / step - 1e-9); n * step <= high + step * 1e-9; n++) ticks.push(n * step + 0);
  return ticks.length > 1 ? ticks : [low, high];
}

/** Return the points in pieces, parted where steps are missing: a run that lost some and resumed. */
export function piecesOf(points) {
  const distances = points.slice(1).map(([step], n) => step - points[n][0]);
  const usual = [...distances].sort((a, b) => a - b)[Math.floor(distances.length / 2)];
  const pieces = points.length ? [[points[0]]] : [];
  distances.forEach((distance, n) => {
    if (points.length > 3 && distance > GAP * usual) pieces.push([]);
    pieces.at(-1).push(points[n + 1]);
  });
  return pieces;
}

export function drawCurve(container, given) {
  const points = drawable(given);
  if (points.length === 0) return;
  const [low, high] = rangeOf(points);
  const first = points[0][0];
  const last = points.at(-1)[0];
  const inner = WIDTH - LEFT - RIGHT;
  const x = (step) => LEFT + (last > first ? (inner * (step - first)) / (last - first) : inner / 2);
  const y = (loss) =>
    HEIGHT - BOTTOM - ((HEIGHT - BOTTOM - TOP) * (Math.min(Math.max(loss, low), high) - low)) / (high - low);

  const chart = element("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img" });
  chart.append(element("title", {}, titleOf(points)));
  for (const value of ticksOf(low, high)) {
    chart.append(
      element("line", { class: "rule", x1: LEFT, x2: WIDTH - RIGHT, y1: y(value), y2: y(value) }),
      element("text", { x: LEFT - 6, y: y(value) + 4, "text-anchor": "end" }, format(value)),
    );
  }
  chart.append(...stepLabels(first, last, x));
  const path = (pairs) => pairs.map(([s, l], n) => `${n ? "L" : "M"}${x(s).toFixed(1)} ${y(l).toFixed(1)}`).join("");
  const pieces = piecesOf(points);
  chart.append(element("path", { class: "raw", d: pieces.map(path).join("") }));
  chart.append(element("path", { class: "mean", d: pieces.map(smoothed).map(path).join("") }));
  const marked = points.length <= FEW ? points : pieces.filter((piece) => piece.length === 1).flat();
  for (const [step, loss] of marked) chart.append(element("circle", { cx: x(step), cy: y(loss), r: 3.5 }));
  container.replaceChildren(chart);
}

function titleOf(points) {
  const [step, loss] = points.at(-1);
  const now = `Loss ${format(loss)} at step ${step}`;
  return points.length === 1 ? now : `${now}, from ${format(points[0][1])}`;
}

function stepLabels(first, last, x) {
  const label = (step, anchor, text) =>
    element("text", { x: x(step), y: HEIGHT - 6, "text-anchor": anchor }, text);
  if (first === last) return [label(last, "middle", `step ${last.toLocaleString("en")}`)];
  return [
    label(first, "start", first.toLocaleString("en")),
    label(last, "end", `step ${last.toLocaleString("en")}`),
  ];
}

function smoothed(points) {
  if (points.length <= FEW) return points;
  let sum = 0;
  let weight = 0;
  return points.map(([step, loss]) => {
    sum = SMOOTH * sum + loss;
    weight = SMOOTH * weight + 1;
    return [step, sum / weight];
  });
}

function format(value) {
  const text = Math.abs(value) < 1e-12 ? 0 : Number(value.toPrecision(3));
  return text.toString();
}

function element(name, attributes, text) {
  const node = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  if (text !== undefined) node.textContent = text;
  return node;
}
