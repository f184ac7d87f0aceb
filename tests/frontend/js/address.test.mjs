import assert from "node:assert/strict";
import { test } from "node:test";

import { generationId, read, write } from "../../../frontend/static/studio/address.js";

const SETTINGS = {
  model: 3,
  kind: "interpolation",
  prompt: "a frog & a “cat”",
  second_prompt: "ein Löwe",
  count: 8,
  seed: 0,
  second_seed: 7,
  guidance: 1.5,
};

test("what is written is read again", () => {
  assert.deepEqual(read(write(SETTINGS)), SETTINGS);
});

test("what is not said is not written", () => {
  const written = write({ kind: "samples", prompt: "", second_prompt: null, guidance: null, seed: 2 });
  assert.equal(written, "?seed=2");
});

test("what cannot be meant is left out", () => {
  const query = "?kind=film&count=99&seed=-1&second_seed=1e9&model=x&guidance=lots";
  assert.deepEqual(read(query), {});
});

test("a giant prompt is cut", () => {
  assert.equal(read(`?prompt=${"x".repeat(9999)}`).prompt.length, 500);
});

test("only a drawing's own name is one", () => {
  const id = "00000000-1111-2222-3333-444444444444";
  assert.equal(generationId(`#${id}`), id);
  assert.equal(generationId("#../admin"), null);
  assert.equal(generationId(""), null);
});
