import assert from "node:assert/strict";
import { test } from "node:test";

import { EarlierResults } from "../../../frontend/static/pages/js/earlier-results.js";

function setUp(result = async (token) => ({ message: `About ${token}.` })) {
  const said = [];
  const timers = [];
  const clock = { time: 0 };
  const results = new EarlierResults({
    result,
    say: ({ message }) => said.push(message),
    now: () => clock.time,
    schedule: (work, ms) => timers.push({ work, ms }),
  });
  const pass = async () => {
    for (const { work } of timers.splice(0)) work();
    await new Promise((resolve) => setTimeout(resolve));
  };
  return { results, said, timers, clock, pass };
}

test("what came of an answer is said once it has left the strip and cannot be undone", async () => {
  const { results, said, timers, clock, pass } = setUp();
  results.keep({ token: "a", action: "answer" });
  results.deliver("a", 13);
  assert.deepEqual(timers, []);
  clock.time = 4_000;
  results.keep({ token: "b", action: "answer" });
  assert.equal(timers[0].ms, 9_000);
  await pass();
  assert.deepEqual(said, ["About a."]);
});

test("it is said that a model drew the picture, even where there is nothing else to say", async () => {
  const { results, said, pass } = setUp(async () => ({ message: "", generated: true }));
  results.keep({ token: "a", action: "answer" });
  results.deliver("a", 13);
  results.keep({ token: "b", action: "answer" });
  await pass();
  assert.deepEqual(said, [""]);
});

test("of answers that are sent late, the last few have their results asked for then", async () => {
  const { results, said, timers, clock, pass } = setUp();
  const tokens = [..."abcdefgh"];
  for (const token of tokens) results.keep({ token, action: "answer" });
  clock.time = 60_000;
  for (const token of ["z", ...tokens]) results.deliver(token, 13);
  assert.deepEqual(
    timers.map(({ ms }) => ms),
    Array(5).fill(13_000),
  );
  await pass();
  assert.deepEqual(
    said,
    [..."cdefg"].map((token) => `About ${token}.`),
  );
});

test("skips, and challenges that were brought back, have no result", async () => {
  const { results, timers } = setUp();
  results.keep({ token: "a", action: "skip" });
  results.keep({ token: "b", action: "answer" });
  results.keep({ token: "b", action: "answer" });
  assert.deepEqual(timers, []);
});

test("where there is nothing to say, or the server cannot be asked, nothing is said", async () => {
  for (const result of [async () => ({ message: "" }), () => Promise.reject(new Error("offline"))]) {
    const { results, said, pass } = setUp(result);
    results.keep({ token: "a", action: "answer" });
    results.keep({ token: "b", action: "answer" });
    results.deliver("a", 13);
    await pass();
    assert.deepEqual(said, []);
  }
});
