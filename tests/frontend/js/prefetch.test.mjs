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

test("what was fetched ahead is asked first, by its own deadline", async () => {
  const state = { issued: 0 };
  const records = [{ challenge: { token: "kept", expires_in: 43_200 }, pictures: ["p"], deadline: 777 }];
  const prefetcher = new Prefetcher({
    issue: async () => ({ token: (state.issued += 1), expires_in: 900 }),
    load: async () => [],
    kept: { next: async () => records.shift() ?? null },
    now: () => 0,
  });
  const first = await prefetcher.next();
  assert.deepEqual([first.challenge.token, first.pictures, first.deadline], ["kept", ["p"], 777]);
  assert.equal((await prefetcher.next()).challenge.token, 1);
});
