import assert from "node:assert/strict";
import test from "node:test";

import { drawCurve, drawable, piecesOf, rangeOf, ticksOf } from "../../../frontend/static/project/curve.js";

/** Draw into a stand-in for the page; return the nodes by name. */
function drawn(points) {
  const make = (name) => ({
    name,
    attributes: {},
    children: [],
    setAttribute(key, value) {
      this.attributes[key] = String(value);
    },
    append(...nodes) {
      this.children.push(...nodes);
    },
    replaceChildren(...nodes) {
      this.children = nodes;
    },
  });
  globalThis.document = { createElementNS: (_, name) => make(name) };
  const container = make("div");
  drawCurve(container, points);
  const nodes = container.children[0]?.children ?? [];
  return (name) => nodes.filter((node) => node.name === name);
}

test("a curve of two points is shown from its lowest to its highest loss", () => {
  assert.deepEqual(rangeOf([[1, 2], [2, 1]]), [1, 2]);
});

test("a short curve keeps its highest loss", () => {
  const points = Array.from({ length: 10 }, (_, n) => [n, n === 0 ? 9 : 1 / (n + 1)]);
  assert.equal(rangeOf(points)[1], 9);
});

test("a long curve loses its highest losses", () => {
  const points = Array.from({ length: 100 }, (_, n) => [n, n === 0 ? 1000 : 1 / (n + 1)]);
  assert.ok(rangeOf(points)[1] < 1);
});

test("a flat curve has room above and below, also at zero", () => {
  assert.deepEqual(rangeOf([[1, 5], [2, 5]]), [4.5, 5.5]);
  assert.deepEqual(rangeOf([[1, 0], [2, 0]]), [-1, 1]);
});

test("losses that are no numbers are left out, and steps come in order", () => {
  const points = [[3, 1], [1, NaN], [2, Infinity], [1, 2], [4, null]];
  assert.deepEqual(drawable(points), [[1, 2], [3, 1]]);
});

test("axes bear round numbers", () => {
  assert.deepEqual(ticksOf(0, 3), [0, 1, 2, 3]);
  assert.deepEqual(ticksOf(4.5, 5.5).map((tick) => tick.toFixed(1)), ["4.5", "5.0", "5.5"]);
});

test("nothing is drawn of no points", () => {
  assert.equal(drawn([])("path").length, 0);
  assert.equal(drawn([[1, NaN]])("path").length, 0);
});

for (const count of [1, 2, 3]) {
  test(`each of ${count} points is marked inside the chart`, () => {
    const nodes = drawn(Array.from({ length: count }, (_, n) => [n + 1, 1 / (n + 1)]));
    const circles = nodes("circle");
    assert.equal(circles.length, count);
    for (const { attributes } of circles) {
      assert.ok(attributes.cx >= 52 && attributes.cx <= 552, attributes.cx);
      assert.ok(attributes.cy >= 10 && attributes.cy <= 196, attributes.cy);
    }
    const labels = nodes("text").map((node) => node.textContent);
    assert.ok(labels.includes(`step ${count}`));
    assert.ok(!nodes("path").some((node) => node.attributes.d.includes("NaN")));
  });
}

test("a run that lost steps and resumed is drawn in two pieces", () => {
  const steps = [1, 2, 3, 4, 50, 51, 52];
  assert.deepEqual(piecesOf(steps.map((step) => [step, 1])).map((piece) => piece.length), [4, 3]);
  assert.equal(drawn(steps.map((step) => [step, 1]))("path")[0].attributes.d.match(/M/g).length, 2);
});

test("a long curve has no marks", () => {
  assert.equal(drawn(Array.from({ length: 40 }, (_, n) => [n, 1 / (n + 1)]))("circle").length, 0);
});
