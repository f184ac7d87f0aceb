import assert from "node:assert/strict";
import { test } from "node:test";

import { LastChallenge, UNDO_SECONDS } from "../../../frontend/static/pages/js/last-challenge.js";
import { Outbox } from "../../../frontend/static/pages/js/outbox.js";
import { pageStorage } from "../../../frontend/static/pages/js/storage.js";
import { ApiError } from "../../../frontend/static/shared/client.js";

const RESULT = { tiles: [], message: "Others agree." };

function setUp({ send = async () => ({}), undo, result = async () => RESULT } = {}) {
  const events = [];
  const timers = [];
  const asked = [];
  const clock = { time: 1_000 };
  const onDone = ({ entry, outcome, error }) =>
    error ? last.drop(entry.token) : last.deliver(entry.token, outcome.result_in);
  const outbox = new Outbox({ send, storage: pageStorage(), onDone });
  const last = new LastChallenge({
    undo: (token) => (asked.push(`undo ${token}`), undo?.(token) ?? { expires_in: 60, progress: {} }),
    result: (token) => (asked.push(`result ${token}`), result(token)),
    show: ({ fetched }) => events.push(`show ${fetched.challenge.token}`),
    close: ({ fetched }) => events.push(`close ${fetched.challenge.token}`),
    showResult: (each) => events.push(each.message),
    outbox,
    now: () => clock.time,
    schedule: (work, ms) => {
      const timer = { work, ms };
      timers.push(timer);
      return () => timers.splice(timers.indexOf(timer), timers.includes(timer) ? 1 : 0);
    },
  });
  function answer(token, action = "answer") {
    const fetched = { challenge: { token }, pictures: [], deadline: 99_000 };
    outbox.add({ token, action, body: { selected: [2] } });
    last.keep({ fetched, action, body: { selected: [2] } });
  }
  async function pass() {
    for (const { work } of timers.splice(0)) work();
    await new Promise((resolve) => setTimeout(resolve));
  }
  return { last, outbox, events, timers, clock, asked, answer, pass };
}

test("an answer that waits in the outbox is undone there, with its deadline", async () => {
  const { last, outbox, asked, answer } = setUp();
  answer("a");
  const { fetched, body, progress } = await last.undo();
  assert.deepEqual([fetched.deadline, body, progress], [99_000, { selected: [2] }, null]);
  assert.deepEqual(outbox.entries, []);
  assert.deepEqual(asked, []);
});

test("an answer that the server has is undone there, with a new deadline", async () => {
  const { last, outbox, asked, answer } = setUp();
  answer("a");
  await outbox.flush();
  const { fetched } = await last.undo();
  assert.equal(fetched.deadline, 61_000);
  assert.deepEqual(asked, ["undo a"]);
});

test("an answer on its way is waited for", async () => {
  let arrive;
  const { last, outbox, asked, answer } = setUp({ send: () => new Promise((done) => (arrive = done)) });
  answer("a");
  const flushed = outbox.flush();
  const undone = last.undo();
  assert.deepEqual(asked, []);
  arrive({});
  await flushed;
  await undone;
  assert.deepEqual(asked, ["undo a"]);
});

test("only the last of two quick answers is undone, and only once", async () => {
  const { last, outbox, asked, answer } = setUp();
  answer("a");
  answer("b");
  await outbox.flush();
  await Promise.all([last.undo(), last.undo()]);
  assert.deepEqual(asked, ["undo b"]);
  assert.equal(last.undoable, null);
});

test("a refusal is passed on, and no undo offered any more", async () => {
  const late = new ApiError("too_late", "");
  const { last, outbox, events, answer } = setUp({ undo: () => Promise.reject(late) });
  answer("a");
  await outbox.flush();
  await assert.rejects(last.undo(), { code: "too_late" });
  assert.equal(last.undoable, null);
  assert.deepEqual(events, ["show a", "close a"]);
});

test("after ten seconds nothing is undone, and the result is asked for", async () => {
  const { last, outbox, events, timers, answer, pass } = setUp();
  answer("a");
  await outbox.flush();
  assert.equal(timers[0].ms, UNDO_SECONDS * 1_000);
  await pass();
  assert.equal(await last.undo(), null);
  await pass();
  assert.deepEqual(events, ["show a", "close a", "Others agree."]);
});

test("the result is asked for once the server tells it, and not before", async () => {
  const { outbox, asked, timers, clock, answer, pass } = setUp({ send: async () => ({ result_in: 13 }) });
  answer("a");
  await outbox.flush();
  clock.time += UNDO_SECONDS * 1_000;
  await pass();
  assert.deepEqual(asked, []);
  assert.equal(timers[0].ms, 3_000);
  await pass();
  assert.deepEqual(asked, ["result a"]);
});

test("a result that comes too early is asked for again", async () => {
  let tries = 0;
  const result = async () => {
    tries += 1;
    if (tries === 1) throw new ApiError("too_early", "", 3);
    return RESULT;
  };
  const { outbox, events, timers, answer, pass } = setUp({ result });
  answer("a");
  await outbox.flush();
  await pass();
  await pass();
  assert.equal(timers[0].ms, 3_000);
  await pass();
  assert.equal(events.at(-1), "Others agree.");
});

test("an answer that is sent late has its result asked for then", async () => {
  const { last, outbox, asked, answer, pass } = setUp();
  answer("a");
  await pass();
  assert.deepEqual(asked, []);
  await outbox.flush();
  await pass();
  assert.deepEqual(asked, ["result a"]);
  assert.equal(last.undoable, null);
});

test("a skip has no result, and a refused answer no undo", async () => {
  const skipped = setUp();
  skipped.answer("a", "skip");
  await skipped.outbox.flush();
  await skipped.pass();
  assert.deepEqual(skipped.asked, []);
  const refused = setUp({ send: () => Promise.reject(new ApiError("expired", "")) });
  refused.answer("a");
  await refused.outbox.flush();
  assert.equal(refused.last.undoable, null);
});
