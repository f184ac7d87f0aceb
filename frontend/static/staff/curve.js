/** Draw a loss curve as SVG: each loss, faint, and their running mean. */

const SVG = "http://www.w3.org/2000/svg";
const WIDTH = 560;
const HEIGHT = 220;
const LEFT = 46;
const BOTTOM = 24;
const TOP = 8;
const SMOOTH = 0.85;

/**
 * Return the lowest and the highest loss that the chart shows. Of a long curve, the highest 2 % are
 * cut off; of a short one (up to 50 points), nothing is.
 */
export function rangeOf(points) {
  const values = points.map(([, loss]) => loss).sort((a, b) => a - b);
  const low = values[0];
  const high = values[Math.ceil(0.98 * values.length) - 1];
  return [low, Math.max(high, low + 1e-9)];
}

export function drawCurve(container, points) {
  if (points.length < 2) return;
  const [low, high] = rangeOf(points);
  const first = points[0][0];
  const last = points.at(-1)[0];
  const x = (step) => LEFT + ((WIDTH - LEFT - 6) * (step - first)) / Math.max(1, last - first);
  const y = (loss) =>
    HEIGHT - BOTTOM - ((HEIGHT - BOTTOM - TOP) * (Math.min(loss, high) - low)) / (high - low);
  const line = (pairs) => pairs.map(([s, l]) => `${x(s).toFixed(1)},${y(l).toFixed(1)}`).join(" ");

  const chart = element("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img" });
  const now = points.at(-1)[1];
  chart.append(element("title", {}, `Loss ${format(now)} at step ${last}, from ${format(points[0][1])}`));
  for (const value of [low, (low + high) / 2, high]) {
    chart.append(
      element("line", { class: "rule", x1: LEFT, x2: WIDTH, y1: y(value), y2: y(value) }),
      element("text", { x: LEFT - 6, y: y(value) + 4, "text-anchor": "end" }, format(value)),
    );
  }
  chart.append(
    element("text", { x: LEFT, y: HEIGHT - 6 }, first.toLocaleString("en")),
    element("text", { x: WIDTH - 2, y: HEIGHT - 6, "text-anchor": "end" }, `step ${last.toLocaleString("en")}`),
    element("polyline", { class: "raw", points: line(points) }),
    element("polyline", { class: "mean", points: line(smoothed(points)) }),
  );
  container.replaceChildren(chart);
}

function smoothed(points) {
  let sum = 0;
  let weight = 0;
  return points.map(([step, loss]) => {
    sum = SMOOTH * sum + loss;
    weight = SMOOTH * weight + 1;
    return [step, sum / weight];
  });
}

function format(value) {
  return Number(value.toPrecision(3)).toString();
}

function element(name, attributes, text) {
  const node = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  if (text !== undefined) node.textContent = text;
  return node;
}
