import assert from "node:assert/strict";
import { test } from "node:test";

import { Outbox } from "../../../frontend/static/pages/js/outbox.js";
import { ApiError } from "../../../frontend/static/shared/client.js";

function memory() {
  const kept = new Map();
  return { getItem: (key) => kept.get(key) ?? null, setItem: (key, value) => kept.set(key, value) };
}

function setUp(send) {
  const done = [];
  const storage = memory();
  return { outbox: new Outbox({ send, storage, onDone: (result) => done.push(result) }), done, storage };
}

test("answers are sent in order, and gone once the server has them", async () => {
  const sent = [];
  const { outbox, done } = setUp(async ({ token }) => sent.push(token));
  outbox.add({ token: "a", action: "answer" });
  outbox.add({ token: "b", action: "skip" });
  assert.equal(await outbox.flush(), null);
  assert.deepEqual(sent, ["a", "b"]);
  assert.equal(done.length, 2);
  assert.deepEqual(outbox.entries, []);
});

test("what cannot be sent now stays, and outlives the page", async () => {
  const { outbox, storage } = setUp(() => Promise.reject(new ApiError("offline", "")));
  outbox.add({ token: "a", action: "answer", body: { selected: [] } });
  assert.equal((await outbox.flush()).code, "offline");
  const later = new Outbox({ send: async () => ({}), storage, onDone() {} });
  assert.equal(later.waiting, 1);
  assert.equal(await later.flush(), null);
  assert.equal(later.waiting, 0);
});

test("what is refused for good goes, and the rest is sent", async () => {
  const { outbox, done } = setUp(async ({ token }) => {
    if (token === "old") throw new ApiError("expired", "");
  });
  outbox.add({ token: "old", action: "answer" });
  outbox.add({ token: "new", action: "answer" });
  assert.equal(await outbox.flush(), null);
  assert.deepEqual(done.map(({ error }) => error?.code), ["expired", undefined]);
});

test("two flushes at once send an answer once", async () => {
  let sent = 0;
  const { outbox } = setUp(async () => (sent += 1));
  outbox.add({ token: "a", action: "answer" });
  await Promise.all([outbox.flush(), outbox.flush()]);
  assert.equal(sent, 1);
});

test("a storage that holds nonsense is taken for empty", () => {
  const { outbox, storage } = setUp(async () => ({}));
  storage.setItem("tessera.outbox", "{not json");
  assert.deepEqual(outbox.entries, []);
});
