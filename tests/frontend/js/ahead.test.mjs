import assert from "node:assert/strict";
import { test } from "node:test";

import { Ahead } from "../../../frontend/static/pages/js/ahead.js";

function setUp({ life = 900 } = {}) {
  const state = { issued: 0, now: 0, fail: false };
  const ahead = new Ahead({
    issue: async () => {
      if (state.fail) throw new Error("offline");
      state.issued += 1;
      return { token: state.issued, expires_in: life };
    },
    load: async () => [],
    now: () => state.now,
  });
  return { ahead, state };
}

test("what was prepared is taken without asking again", async () => {
  const { ahead, state } = setUp();
  ahead.prepare();
  ahead.prepare();
  assert.equal((await ahead.take()).challenge.token, 1);
  assert.equal(state.issued, 1);
});

test("what is about to expire is not shown any more", async () => {
  const { ahead, state } = setUp();
  ahead.prepare();
  await Promise.resolve();
  state.now = 890_000;
  assert.equal((await ahead.take()).challenge.token, 2);
});

test("a failed preparation is forgotten", async () => {
  const { ahead, state } = setUp();
  state.fail = true;
  ahead.prepare();
  await new Promise((resolve) => setTimeout(resolve));
  state.fail = false;
  assert.equal((await ahead.take()).challenge.token, 1);
});
