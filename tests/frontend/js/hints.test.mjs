import assert from "node:assert/strict";
import { test } from "node:test";

import { Hints } from "../../../frontend/static/pages/js/hints.js";

test("each kind is learnt on its own, once", () => {
  const kept = new Map();
  const storage = { getItem: (key) => kept.get(key), setItem: (key, value) => kept.set(key, value) };
  new Hints(storage).learn("grid");
  const hints = new Hints(storage);
  assert.deepEqual([hints.knows("grid"), hints.knows("split")], [true, false]);
  hints.learn("split");
  hints.learn("split");
  assert.equal(kept.values().next().value, '["grid","split"]');
});

test("a storage that is full, or holds nonsense, loses nothing but the hint", () => {
  const full = {
    getItem: () => "{nonsense",
    setItem: () => {
      throw new Error("QuotaExceededError");
    },
  };
  const hints = new Hints(full);
  hints.learn("grid");
  assert.equal(hints.knows("grid"), false);
});
