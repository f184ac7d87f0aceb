import assert from "node:assert/strict";
import { test } from "node:test";

import { keyOf, keyOfTile, tileOf } from "../../../frontend/static/pages/js/keys.js";

test("a Latin letter is taken as it is printed, wherever it lies", () => {
  assert.equal(keyOf({ key: "n", code: "KeyB" }), "n"); // Dvorak
  assert.equal(keyOf({ key: "N", code: "KeyN", shiftKey: false }), "n"); // caps lock
  assert.equal(keyOf({ key: "S", code: "KeyS", shiftKey: true }), "Shift+s");
});

test("on layouts without Latin letters, and in input methods, the place of a key counts", () => {
  assert.equal(keyOf({ key: "т", code: "KeyN" }), "n"); // Russian
  assert.equal(keyOf({ key: "ى", code: "KeyN" }), "n"); // Arabic
  assert.equal(keyOf({ key: "Process", code: "KeyZ" }), "z"); // Chinese, while it composes
});

test("digits count on French keyboards, in Arabic digits, and on the number pad", () => {
  assert.equal(keyOf({ key: "é", code: "Digit2" }), "2");
  assert.equal(keyOf({ key: "2", code: "Digit2", shiftKey: true }), "2");
  assert.equal(keyOf({ key: "٢", code: "Digit2" }), "2");
  assert.equal(keyOf({ key: "7", code: "Numpad7" }), "7");
  assert.equal(keyOf({ key: "Home", code: "Numpad7" }), "Home"); // without Num Lock
});

test("each of sixteen tiles has a key of its own, that means nothing else", () => {
  const keys = Array.from({ length: 16 }, (_, at) => keyOfTile(at + 1));
  assert.equal(new Set(keys).size, 16);
  keys.forEach((key, at) => assert.equal(tileOf(key.toLowerCase()), at + 1));
  for (const taken of ["n", "y", "s", "r", "z", "f", "?", "0", ""]) assert.equal(tileOf(taken), 0);
  assert.equal(keyOfTile(17), "");
});

test("submit has a chord that works in text boxes, and other chords are the browser's", () => {
  assert.equal(keyOf({ key: "Enter", ctrlKey: true }), "Ctrl+Enter");
  assert.equal(keyOf({ key: "Enter", metaKey: true }), "Ctrl+Enter");
  assert.equal(keyOf({ key: "r", code: "KeyR", ctrlKey: true }), "");
  assert.equal(keyOf({ key: "n", code: "KeyN", altKey: true }), "");
  assert.equal(keyOf({ key: "؟", code: "Slash", shiftKey: true }), "?");
});
