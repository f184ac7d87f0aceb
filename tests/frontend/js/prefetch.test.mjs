import assert from "node:assert/strict";
import { test } from "node:test";

import { Prefetcher } from "../../../frontend/static/pages/js/prefetch.js";

function setUp({ life = 900 } = {}) {
  const state = { issued: 0, now: 0, fail: false };
  const prefetcher = new Prefetcher({
    issue: async () => {
      if (state.fail) throw new Error("offline");
      state.issued += 1;
      return { token: state.issued, expires_in: life };
    },
    load: async () => [],
    now: () => state.now,
  });
  return { prefetcher, state };
}

test("a prefetched challenge is shown without asking again", async () => {
  const { prefetcher, state } = setUp();
  prefetcher.start();
  prefetcher.start();
  assert.equal((await prefetcher.next()).challenge.token, 1);
  assert.equal(state.issued, 1);
});

test("a challenge that is about to expire is not shown any more", async () => {
  const { prefetcher, state } = setUp();
  prefetcher.start();
  await Promise.resolve();
  state.now = 890_000;
  assert.equal((await prefetcher.next()).challenge.token, 2);
});

test("a failed prefetch is tried again", async () => {
  const { prefetcher, state } = setUp();
  state.fail = true;
  prefetcher.start();
  await new Promise((resolve) => setTimeout(resolve));
  state.fail = false;
  assert.equal((await prefetcher.next()).challenge.token, 1);
});
