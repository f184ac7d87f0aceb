import assert from "node:assert/strict";
import { test } from "node:test";

import { Ahead } from "../../../frontend/static/pages/js/ahead.js";
import { elapsed } from "../../../frontend/static/pages/js/clock.js";
import { Kept } from "../../../frontend/static/pages/js/kept.js";
import { ApiError } from "../../../frontend/static/shared/client.js";

function memory({ room = Infinity } = {}) {
  const records = new Map();
  return {
    all: async () => [...records.values()],
    get: async (token) => records.get(token),
    delete: async (token) => void records.delete(token),
    async put(record) {
      if (records.size >= room && !records.has(record.token)) throw new Error("QuotaExceededError");
      records.set(record.token, record);
    },
  };
}

/** Return locks as browsers have them, of which each is held until its promise is fulfilled. */
function makeLocks() {
  const held = new Set();
  return {
    async request(name, { ifAvailable }, work) {
      assert.ok(ifAvailable);
      if (held.has(name)) return work(null);
      held.add(name);
      try {
        return await work({ name });
      } finally {
        held.delete(name);
      }
    },
  };
}

function setUp({ database = memory(), answered = new Set(), locks = makeLocks(), ...more } = {}) {
  const open = (options = {}) =>
    new Kept({
      database,
      project: "shapes",
      decode: async (challenge, blobs) => blobs,
      isAnswered: (token) => answered.has(token),
      locks,
      ...more,
      ...options,
    });
  return { kept: open(), open, answered, database };
}

async function add(kept, token, { kind = "grid", seconds = 43_200 } = {}) {
  await kept.add({ token, kind, expires_in: seconds });
  await kept.complete(token, [{ size: 100 }]);
}

async function asked(kept) {
  return (await kept.next())?.challenge.token ?? null;
}

test("what is kept is asked in order, each once", async () => {
  const { kept } = setUp();
  for (const token of ["a", "b", "c"]) await add(kept, token);
  const { count, bytes, left } = await kept.summary();
  assert.deepEqual([count, bytes], [3, 300]);
  assert.ok(left > 43_000_000 && left <= 43_200_000);
  assert.deepEqual([await asked(kept), await asked(kept), await asked(kept)], ["a", "b", "c"]);
  assert.equal(await asked(kept), null);
});

test("two tabs are never given the same one", async () => {
  const { open } = setUp();
  const [left, right] = [open(), open()];
  for (const token of ["a", "b", "c", "d"]) await add(left, token);
  const tokens = await Promise.all([asked(left), asked(right), asked(left), asked(right)]);
  assert.deepEqual(new Set(tokens).size, 4);
  left.giveBack(tokens[0]);
  await new Promise((resolve) => setTimeout(resolve));
  assert.equal(await asked(right), tokens[0]);
});

test("what was shown and not answered is asked again by the next page", async () => {
  const { kept, open, answered } = setUp({ locks: null });
  await add(kept, "a");
  await add(kept, "b");
  assert.equal(await asked(kept), "a");
  assert.equal(await asked(open()), "a");
  answered.add("a");
  assert.equal(await asked(open()), "b");
  assert.equal((await open().summary()).count, 1);
});

test("what is about to expire is not asked, nor what has no pictures yet", async () => {
  const { kept } = setUp();
  await add(kept, "late", { seconds: 30 });
  await kept.add({ token: "bare", kind: "grid", expires_in: 900 });
  assert.equal(await asked(kept), null);
  assert.deepEqual((await kept.incomplete()).map(({ token }) => token), ["bare"]);
});

test("only the wanted kind is asked, and only of this project", async () => {
  const { kept, open } = setUp({ kind: "verify" });
  await add(kept, "grid");
  await add(kept, "verify", { kind: "verify" });
  await add(open({ project: "other" }), "other", { kind: "verify" });
  assert.equal(await asked(kept), "verify");
  assert.equal(await asked(kept), null);
});

test("the server says which can still be answered; what it cannot say changes nothing", async () => {
  const { kept } = setUp();
  for (const token of ["mine", "foreign", "also mine"]) await add(kept, token);
  await kept.refresh(() => Promise.reject(new ApiError("offline", "")));
  assert.equal((await kept.summary()).count, 3);
  const challenges = [{ token: "mine", expires_in: 5000 }, { token: "also mine", expires_in: 20 }];
  kept.refresh(async () => ({ challenges }));
  assert.equal(await asked(kept), "mine");
  assert.equal(await asked(kept), null);
});

test("a picture that storage has lost is no reason to stop", async () => {
  const decode = (challenge) => (challenge.token === "a" ? Promise.reject(new Error()) : Promise.resolve([]));
  const { kept } = setUp({ decode });
  for (const token of ["a", "b"]) await add(kept, token);
  assert.equal(await asked(kept), "b");
});

test("time is what passed: a clock that is set back, or a device that slept", () => {
  const hour = 3_600_000;
  assert.equal(elapsed({ steady: 0, wall: 9 * hour }, { steady: 5, wall: 2 * hour }), 5);
  assert.equal(elapsed({ steady: 0, wall: 0 }, { steady: 5, wall: 8 * hour }), 8 * hour);
  assert.equal(elapsed({ steady: 0, wall: 9 * hour }, { steady: 0, wall: hour }), 0);
});

function fetchAhead({ issue, limit = 3, database, loadBlobs = async () => [{ size: 1 }] }) {
  const { kept } = setUp({ database });
  const ahead = new Ahead({ issue, loadBlobs, kept, limit, onChange() {} });
  ahead.enabled = true;
  return { ahead, kept };
}

function counter() {
  let count = 0;
  return async () => ({ token: `t${(count += 1)}`, kind: "grid", expires_in: 43_200 });
}

test("as many are fetched ahead as are wanted, and more when some were answered", async () => {
  const { ahead, kept } = fetchAhead({ issue: counter() });
  await ahead.fill();
  assert.deepEqual([(await kept.summary()).count, ahead.stopped], [3, "done"]);
  await kept.remove("t1");
  await ahead.fill();
  assert.equal((await kept.summary()).count, 3);
});

test("none are fetched that are not wanted", async () => {
  const { ahead, kept } = fetchAhead({ issue: counter() });
  ahead.enabled = false;
  await ahead.fill();
  assert.equal((await kept.summary()).count, 0);
});

test("it says why no more are fetched", async () => {
  const stops = async (options) => {
    const { ahead } = fetchAhead(options);
    await ahead.fill();
    return ahead.stopped;
  };
  assert.equal(await stops({ issue: async () => null }), "nothing");
  assert.equal(await stops({ issue: counter(), database: memory({ room: 2 }) }), "full");
  const refuse = (code) => () => Promise.reject(new ApiError(code, ""));
  assert.equal(await stops({ issue: refuse("enough") }), "enough");
  assert.equal(await stops({ issue: refuse("offline") }), "offline");
});

test("a challenge whose pictures did not come is completed later, and not asked for again", async () => {
  let isOffline = true;
  const loadBlobs = async () => {
    if (isOffline) throw new ApiError("offline", "");
    return [{ size: 1 }];
  };
  const { ahead, kept } = fetchAhead({ issue: counter(), limit: 1, loadBlobs });
  await ahead.fill();
  assert.equal(await asked(kept), null);
  isOffline = false;
  await ahead.fill();
  assert.equal(await asked(kept), "t1");
});

test("what an account keeps is shown to nobody else; what a visitor keeps, to the account", async () => {
  const { open } = setUp();
  await add(open({ by: "7" }), "carol's");
  await add(open(), "visitor's");
  assert.equal((await open({ by: "8" }).summary()).count, 1);
  assert.equal(await asked(open({ by: "8" })), "visitor's");
  assert.equal((await open().summary()).count, 1);
  assert.equal((await open({ by: "7" }).summary()).count, 2);
});
