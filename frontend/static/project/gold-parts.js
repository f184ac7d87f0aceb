/** Rectangles on a cut picture, by pointer, touch or keys; the parts show what they will be. */

import { Client } from "../shared/client.js";

const GRID = 4;
const COVERED = 0.2; // of a part, from which on it shows the concept: as the server counts it
const HANDLE = 0.06; // of the picture's shorter side
const STEP = 1 / 40;
const SVG = "http://www.w3.org/2000/svg";

const find = (name) => document.querySelector(`[data-${name}]`);
const stage = find("drawing");
const board = find("board");
const pictures = [...find("pictures").children];
const client = new Client({ csrf: document.querySelector("meta[name=csrf-token]").content });
const totals = { yes: 0, no: 0, aside: 0 };

let at = 0;
let size = { width: 1, height: 1 }; // of the picture, in its pixels
let rectangles = [];
let chosen = -1;
let drag = null;
let sending = false;

function element(name, attributes) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

const clamp = (value, low, high) => Math.min(Math.max(value, low), high);

/** Keep a rectangle within the picture. */
function fit({ left, top, width, height }) {
  const w = clamp(width, 1, size.width);
  const h = clamp(height, 1, size.height);
  return { left: clamp(left, 0, size.width - w), top: clamp(top, 0, size.height - h), width: w, height: h };
}

function partOf(row, column) {
  const x = (n) => Math.floor((size.width * n) / GRID);
  const y = (n) => Math.floor((size.height * n) / GRID);
  return { left: x(column), top: y(row), width: x(column + 1) - x(column), height: y(row + 1) - y(row) };
}

/** Return the share of a part that the rectangles cover, each spot once. */
function coverage(part) {
  const within = rectangles
    .map((r) => [
      Math.max(r.left, part.left),
      Math.max(r.top, part.top),
      Math.min(r.left + r.width, part.left + part.width),
      Math.min(r.top + r.height, part.top + part.height),
    ])
    .filter(([left, top, right, bottom]) => left < right && top < bottom);
  const edges = [...new Set(within.flatMap(([left, , right]) => [left, right]))].sort((a, b) => a - b);
  let area = 0;
  for (let n = 0; n + 1 < edges.length; n += 1) {
    const spans = within
      .filter(([left, , right]) => left <= edges[n] && right >= edges[n + 1])
      .map(([, top, , bottom]) => [top, bottom])
      .sort((a, b) => a[0] - b[0]);
    let reached = -Infinity;
    let length = 0;
    for (const [top, bottom] of spans) {
      length += Math.max(bottom - Math.max(top, reached), 0);
      reached = Math.max(reached, bottom);
    }
    area += (edges[n + 1] - edges[n]) * length;
  }
  return area / (part.width * part.height);
}

function kindOf(part) {
  const share = coverage(part);
  return share > COVERED ? "yes" : share > 0 ? "unclear" : "no";
}

function hatching() {
  const pattern = element("pattern", {
    id: "hatching", width: size.width / 40, height: size.width / 40,
    patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)",
  });
  pattern.append(element("rect", { width: size.width / 90, height: "100%", fill: "rgb(255 210 74 / 0.8)" }));
  const definitions = element("defs", {});
  definitions.append(pattern);
  return definitions;
}

function box({ left, top, width, height }, attributes) {
  return element("rect", { x: left, y: top, width, height, ...attributes });
}

function paint() {
  const cells = Array.from({ length: GRID * GRID }, (_, n) => partOf(Math.floor(n / GRID), n % GRID));
  const shapes = cells.map((part) => box(part, { class: `part ${kindOf(part)}` }));
  rectangles.forEach((rectangle, n) => {
    const name = n === chosen ? "drawn chosen" : "drawn";
    shapes.push(box(rectangle, { class: "drawn under" }), box(rectangle, { class: name, "data-n": n }));
  });
  if (rectangles[chosen]) shapes.push(handle(rectangles[chosen]));
  board.setAttribute("viewBox", `0 0 ${size.width} ${size.height}`);
  board.replaceChildren(hatching(), ...shapes);
  find("save").textContent = rectangles.length ? "Save" : "It is nowhere";
  const yes = cells.filter((part) => kindOf(part) === "yes").length;
  find("drawn").textContent = rectangles.length ? `${rectangles.length} drawn: ${yes} parts show it.` : "";
}

function handle(rectangle) {
  const side = HANDLE * Math.min(size.width, size.height);
  return element("rect", {
    class: "handle", width: side, height: side,
    x: rectangle.left + rectangle.width - side / 2, y: rectangle.top + rectangle.height - side / 2,
  });
}

/** Return where a pointer is, in the picture's pixels. */
function place(event) {
  const frame = board.getBoundingClientRect();
  return {
    x: clamp(((event.clientX - frame.left) / frame.width) * size.width, 0, size.width),
    y: clamp(((event.clientY - frame.top) / frame.height) * size.height, 0, size.height),
  };
}

const isNear = (a, b) => Math.abs(a - b) < HANDLE * Math.min(size.width, size.height);

function begin(event) {
  if (event.button > 0) return;
  event.preventDefault();
  board.setPointerCapture(event.pointerId);
  board.focus();
  const { x, y } = place(event);
  const current = rectangles[chosen];
  const onHandle = current && isNear(x, current.left + current.width) && isNear(y, current.top + current.height);
  const hit = rectangles.findLastIndex((r) => x >= r.left && x <= r.left + r.width && y >= r.top && y <= r.top + r.height);
  if (onHandle) drag = { kind: "draw", x: current.left, y: current.top };
  else if (hit >= 0) {
    chosen = hit;
    drag = { kind: "move", x: x - rectangles[hit].left, y: y - rectangles[hit].top };
  } else {
    rectangles.push({ left: x, top: y, width: 0, height: 0 });
    chosen = rectangles.length - 1;
    drag = { kind: "draw", x, y };
  }
  paint();
}

function move(event) {
  if (!drag) return;
  const { x, y } = place(event);
  const current = rectangles[chosen];
  rectangles[chosen] =
    drag.kind === "move"
      ? fit({ ...current, left: x - drag.x, top: y - drag.y })
      : { left: Math.min(x, drag.x), top: Math.min(y, drag.y), width: Math.abs(x - drag.x), height: Math.abs(y - drag.y) };
  paint();
}

function end() {
  const least = Math.min(size.width, size.height) / 50; // a mere touch draws nothing
  if (drag?.kind === "draw" && (rectangles[chosen].width < least || rectangles[chosen].height < least)) remove();
  drag = null;
}

function add() {
  rectangles.push(fit({ left: size.width * 0.375, top: size.height * 0.375, width: size.width / 4, height: size.height / 4 }));
  chosen = rectangles.length - 1;
  board.focus();
  paint();
}

function remove() {
  rectangles.splice(chosen, chosen < 0 ? 0 : 1);
  chosen = rectangles.length - 1;
  paint();
}

/** Move the chosen rectangle by an arrow, or with Shift its lower right corner. */
function nudge(event) {
  const current = rectangles[chosen];
  if (!current) return;
  const horizontal = { ArrowLeft: -1, ArrowRight: 1 }[event.key] ?? 0;
  const vertical = { ArrowUp: -1, ArrowDown: 1 }[event.key] ?? 0;
  const x = horizontal * (event.altKey ? 1 : size.width * STEP);
  const y = vertical * (event.altKey ? 1 : size.height * STEP);
  rectangles[chosen] = event.shiftKey
    ? fit({
        ...current,
        width: Math.min(current.width + x, size.width - current.left),
        height: Math.min(current.height + y, size.height - current.top),
      })
    : fit({ ...current, left: current.left + x, top: current.top + y });
  paint();
}

function show(index) {
  at = index;
  const picture = pictures[at];
  stage.hidden = !picture;
  find("end").hidden = Boolean(picture);
  stage.querySelector("progress").value = at;
  if (!picture) {
    find("summary").textContent =
      `${totals.yes} parts that show it and ${totals.no} that do not are gold now.`;
    document.querySelector("#end-title").focus();
    return;
  }
  find("count").textContent = `${at + 1} of ${pictures.length}`;
  size = { width: Number(picture.dataset.width), height: Number(picture.dataset.height) };
  const image = find("picture");
  find("frame").style.setProperty("--ratio", size.width / size.height);
  image.src = picture.dataset.src;
  if (pictures[at + 1]) new Image().src = pictures[at + 1].dataset.src;
  [rectangles, chosen] = [[], -1];
  paint();
  board.focus();
}

/** Send something once; stay at the picture, with what was drawn, where it could not be saved. */
async function send(work) {
  if (sending) return;
  sending = true;
  const problem = find("problem");
  try {
    await work(pictures[at]);
    problem.hidden = true;
    show(at + 1);
  } catch (error) {
    problem.textContent = `Not saved: ${error.message} What you have drawn is still here; try again.`;
    problem.hidden = false;
  } finally {
    sending = false;
  }
}

const save = () =>
  send(async (picture) => {
    const body = { image: Number(picture.dataset.image), concept: stage.dataset.concept, rectangles: rectangles.map(fit) };
    const marked = await client.post(stage.dataset.address, body);
    totals.yes += marked.yes;
    totals.no += marked.no;
  });

const aside = () =>
  send(async (picture) => {
    const body = new FormData();
    for (const [key, value] of Object.entries({ tile: picture.dataset.tile, choice: "aside", origin: "rectangle", quiet: "1" })) {
      body.set(key, value);
    }
    await client.post(stage.dataset.aside, body);
  });

const actions = { save, add, remove, aside };

function press(event) {
  if (stage.hidden || event.ctrlKey || event.metaKey) return;
  const key = event.key === "Backspace" ? "Delete" : event.key;
  if (key.startsWith("Arrow") && document.activeElement === board && rectangles[chosen]) {
    event.preventDefault();
    nudge(event);
  } else if (key === "Tab" && document.activeElement === board && !event.shiftKey && chosen + 1 < rectangles.length && chosen >= 0) {
    event.preventDefault();
    chosen += 1;
    paint();
  } else if (!event.repeat && !(key === "Enter" && event.target.closest("button, a"))) {
    const button = [...stage.querySelectorAll("[data-key]")].find((each) => each.dataset.key.toLowerCase() === key.toLowerCase());
    if (!button) return;
    event.preventDefault();
    actions[button.dataset.do]();
  }
}

board.addEventListener("pointerdown", begin);
board.addEventListener("pointermove", move);
board.addEventListener("pointerup", end);
board.addEventListener("pointercancel", end);
addEventListener("keydown", press);
for (const button of stage.querySelectorAll("[data-do]")) {
  button.addEventListener("click", () => actions[button.dataset.do]());
}
show(0);
