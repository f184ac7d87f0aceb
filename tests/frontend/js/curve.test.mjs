import assert from "node:assert/strict";
import { test } from "node:test";

import { rangeOf } from "../../../frontend/static/staff/curve.js";

test("a curve of two points is shown from its lowest to its highest loss", () => {
  assert.deepEqual(rangeOf([[24, 5.335], [58, 3.403]]), [3.403, 5.335]);
});

test("a short curve keeps its highest loss", () => {
  for (const count of [3, 10, 49]) {
    const points = Array.from({ length: count }, (_, at) => [at, count - at]);
    assert.deepEqual(rangeOf(points), [1, count]);
  }
});

test("a long curve loses its highest losses", () => {
  const points = Array.from({ length: 100 }, (_, at) => [at, 100 - at]);
  assert.deepEqual(rangeOf(points), [1, 98]);
});

test("a flat curve still has a range", () => {
  const [low, high] = rangeOf([[1, 2], [2, 2]]);
  assert.ok(high > low);
});
