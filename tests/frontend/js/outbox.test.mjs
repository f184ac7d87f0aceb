import assert from "node:assert/strict";
import { test } from "node:test";

import { Outbox } from "../../../frontend/static/pages/js/outbox.js";
import { pageStorage, safeStorage } from "../../../frontend/static/pages/js/storage.js";
import { ApiError } from "../../../frontend/static/shared/client.js";

function setUp(send, { storage = pageStorage(), ...more } = {}) {
  const done = [];
  const onDone = (result) => done.push(result);
  const outbox = new Outbox({ send, storage, onDone, wait: async () => {}, ...more });
  return { outbox, done, storage };
}

function fail(code, retryAfter) {
  return Promise.reject(new ApiError(code, "", retryAfter));
}

/** Return a browser's storage with room for so many characters. */
function browserStorage({ room = Infinity } = {}) {
  const items = new Map();
  return {
    get length() {
      return items.size;
    },
    key: (index) => [...items.keys()][index],
    getItem: (key) => items.get(key) ?? null,
    removeItem: (key) => items.delete(key),
    setItem(key, value) {
      const others = [...items].filter(([other]) => other !== key);
      if (others.reduce((sum, [, text]) => sum + text.length, value.length) > room) {
        throw new Error("QuotaExceededError");
      }
      items.set(key, value);
    },
  };
}

/** Return locks as browsers have them, one holder at a time. */
function makeLocks() {
  let last = Promise.resolve();
  return {
    request(name, work) {
      const result = last.then(work);
      last = result.catch(() => {});
      return result;
    },
  };
}

test("answers are sent in order, and gone once the server has them", async () => {
  const sent = [];
  const { outbox, done } = setUp(async ({ token }) => sent.push(token));
  for (let number = 1; number <= 12; number += 1) outbox.add({ token: `t${number}`, action: "answer" });
  assert.equal(await outbox.flush(), null);
  assert.deepEqual(sent, Array.from({ length: 12 }, (_, index) => `t${index + 1}`));
  assert.equal(done.length, 12);
  assert.deepEqual(outbox.entries, []);
  assert.deepEqual(outbox.tally, { sent: 12, refused: {} });
});

test("what cannot be sent now stays, and outlives the page", async () => {
  const { outbox, storage } = setUp(() => fail("offline"));
  outbox.add({ token: "a", action: "answer", body: { selected: [] } });
  assert.equal((await outbox.flush()).code, "offline");
  const { outbox: later } = setUp(async () => ({}), { storage });
  assert.equal(later.waiting, 1);
  assert.equal(await later.flush(), null);
  assert.equal(later.waiting, 0);
});

for (const code of ["permission_denied", "not_authenticated", "reload", "disk_full", "unheard_of"]) {
  test(`${code} says nothing about an answer, which stays`, async () => {
    const { outbox } = setUp(() => fail(code));
    outbox.add({ token: "a", action: "answer" });
    assert.equal((await outbox.flush()).code, code);
    assert.equal(outbox.waiting, 1);
  });
}

test("what is refused for good goes and is counted, and the rest is sent", async () => {
  const { outbox, done } = setUp(({ token }) => (token === "old" ? fail("expired") : Promise.resolve({})));
  outbox.add({ token: "old", action: "answer" });
  outbox.add({ token: "new", action: "answer" });
  assert.equal(await outbox.flush(), null);
  assert.deepEqual(done.map(({ error }) => error?.code), ["expired", undefined]);
  assert.deepEqual(outbox.tally, { sent: 1, refused: { expired: 1 } });
});

test("two flushes at once send an answer once", async () => {
  let sent = 0;
  const { outbox } = setUp(async () => (sent += 1));
  outbox.add({ token: "a", action: "answer" });
  await Promise.all([outbox.flush(), outbox.flush()]);
  assert.equal(sent, 1);
});

test("of two answers to one challenge the first stands", () => {
  const { outbox } = setUp(async () => ({}));
  outbox.add({ token: "a", action: "answer", body: { yes: true } });
  outbox.add({ token: "a", action: "answer", body: { yes: false } });
  assert.deepEqual(outbox.entries.map(({ body }) => body.yes), [true]);
});

test("an entry can be taken out, unless it is on its way", async () => {
  let arrive;
  const { outbox } = setUp(() => new Promise((resolve) => (arrive = resolve)));
  outbox.add({ token: "a", action: "answer" });
  outbox.add({ token: "b", action: "answer" });
  const flushed = outbox.flush();
  assert.equal(outbox.take("a"), false);
  assert.equal(outbox.take("b"), true);
  const settled = outbox.settle("a");
  arrive({});
  await settled;
  await flushed;
  assert.equal(outbox.take("b"), false);
  assert.deepEqual(outbox.entries, []);
});

test("what came too fast is sent again when there is room for it", async () => {
  let tries = 0;
  const waits = [];
  const { outbox, done } = setUp(() => ((tries += 1) < 3 ? fail("too_fast", 0.2) : Promise.resolve({})), {
    wait: async (ms) => waits.push(ms),
  });
  outbox.add({ token: "a", action: "answer" });
  assert.equal(await outbox.flush(), null);
  assert.deepEqual(waits, [200, 200]);
  assert.equal(done[0].error, undefined);
});

test("what is never taken, as nobody saw it, is handed back", async () => {
  const { outbox, done } = setUp(() => fail("too_fast", 0));
  outbox.add({ token: "a", action: "answer" });
  assert.equal(await outbox.flush(), null);
  assert.equal(done[0].error.code, "too_fast");
  assert.equal(outbox.has("a"), false);
});

test("an answer by somebody else waits for them, and holds nobody up", async () => {
  const storage = pageStorage();
  const { outbox } = setUp(({ token }) => (token === "hers" ? fail("foreign") : Promise.resolve({})), {
    storage,
    owner: "him",
  });
  outbox.add({ token: "hers", action: "answer" });
  outbox.add({ token: "his", action: "answer" });
  assert.equal(await outbox.flush(), null);
  assert.deepEqual([outbox.waiting, outbox.held, outbox.tally.sent], [1, 1, 1]);
  const { outbox: back } = setUp(async () => ({}), { storage, owner: "her" });
  assert.equal(back.held, 0);
  assert.equal(await back.flush(), null);
  assert.equal(back.waiting, 0);
});

test("two tabs send each answer once, and both learn of theirs", async () => {
  const storage = pageStorage();
  const locks = makeLocks();
  const sent = [];
  const send = async ({ token }) => {
    await new Promise((resolve) => setImmediate(resolve));
    sent.push(token);
    return {};
  };
  const left = setUp(send, { storage, locks });
  const right = setUp(send, { storage, locks });
  for (const number of [1, 2, 3]) {
    left.outbox.add({ token: `left${number}`, action: "answer" });
    right.outbox.add({ token: `right${number}`, action: "answer" });
  }
  await Promise.all([left.outbox.flush(), right.outbox.flush()]);
  assert.equal(new Set(sent).size, 6);
  assert.equal(sent.length, 6);
  const tokens = ({ done }) => done.map(({ entry }) => entry.token);
  assert.ok(["right1", "right2", "right3"].every((token) => tokens(right).includes(token)));
});

test("a storage that is full keeps what it can, and the page the rest", async () => {
  const storage = safeStorage({ localStorage: browserStorage({ room: 150 }) });
  const { outbox } = setUp(async () => ({}), { storage });
  for (const token of ["a", "b", "c"]) outbox.add({ token, action: "answer", body: { selected: [1] } });
  assert.equal(outbox.waiting, 3);
  assert.equal(outbox.unkept, 2);
  assert.equal(await outbox.flush(), null);
  assert.deepEqual([outbox.waiting, outbox.unkept, outbox.tally.sent], [0, 0, 3]);
});

test("a storage that is forbidden is replaced by the page", () => {
  const window = {
    get localStorage() {
      throw new Error("SecurityError");
    },
  };
  const { outbox } = setUp(async () => ({}), { storage: safeStorage(window) });
  outbox.add({ token: "a", action: "answer" });
  assert.deepEqual([outbox.waiting, outbox.unkept], [1, 1]);
});

test("a storage that holds nonsense is taken for empty", () => {
  const { outbox, storage } = setUp(async () => ({}));
  storage.setItem("tessera.outbox.000000001.a", "{not json");
  storage.setItem("tessera.outbox.000000002.b", "[]");
  storage.setItem("tessera.outbox-tally", "7");
  assert.deepEqual(outbox.entries, []);
  assert.deepEqual(outbox.tally, { sent: 0, refused: {} });
});

/** A server that takes an answer once, whose replies get lost, and which is away now and then. */
class Server {
  answers = new Map();
  constructor(random) {
    this.random = random;
  }

  async take({ token, body }) {
    for (let steps = this.random(3); steps; steps -= 1) await null;
    const chance = this.random(10);
    if (chance === 0) throw new ApiError("offline", "");
    if (chance === 1) throw new ApiError("throttled", "", 1);
    if (chance === 2) throw new ApiError("too_fast", "", 0.1);
    if (this.answers.has(token)) throw new ApiError("answered", "");
    this.answers.set(token, body);
    if (chance === 3) throw new ApiError("offline", ""); // the reply gets lost
    if (chance === 4) throw new Killed();
    return {};
  }
}

class Killed extends Error {}

for (let seed = 1; seed <= 40; seed += 1) {
  for (const locks of [null, makeLocks()]) {
    const name = `${locks ? "with" : "without"} locks, by chance ${seed}: none lost, none doubled`;
    test(name, async () => {
      const random = makeRandom(seed);
      const storage = pageStorage();
      const server = new Server(random);
      const refused = [];
      const open = () =>
        new Outbox({
          send: (entry) => server.take(entry),
          storage,
          onDone: ({ error, entry }) => error && !isThere(error, entry) && refused.push(error.code),
          locks,
          wait: async () => {},
        });
      let tabs = [open(), open()];
      const expected = new Map();
      for (let number = 0; number < 60; number += 1) {
        const body = { selected: [number] };
        const token = `t${number}`;
        tabs[random(2)].add({ token, action: "answer", body });
        expected.set(token, body);
        if (random(3) === 0) await Promise.allSettled(tabs.map((tab) => tab.flush()));
        if (random(9) === 0) tabs = [open(), open()]; // the browser was killed
      }
      for (let turn = 0; turn < 500 && tabs[0].waiting; turn += 1) {
        await tabs[0].flush().catch(() => {});
      }
      assert.equal(tabs[0].waiting, 0);
      for (const [token, body] of expected) {
        if (server.answers.has(token)) assert.deepEqual(server.answers.get(token), body);
        else assert.ok(refused.length, `${token} was lost in silence`);
      }
      const missing = expected.size - server.answers.size;
      assert.equal(missing, refused.filter((code) => code === "too_fast").length);
      assert.deepEqual(refused.filter((code) => code !== "too_fast"), []);
    });
  }
}

function isThere(error, entry) {
  return error.code === "answered" && entry.tried;
}

function makeRandom(seed) {
  let state = seed;
  return (below) => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    return Math.floor((state / 2_147_483_648) * below);
  };
}
