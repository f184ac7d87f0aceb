import assert from "node:assert/strict";
import { afterEach, test } from "node:test";

import { Ahead } from "../../../frontend/static/pages/js/ahead.js";
import { loadBlobs, loadPicture } from "../../../frontend/static/pages/js/pictures.js";

const challenge = { token: "one", tiles: [{ url: "/tiles/1/" }] };
const failed = (promise) => promise.then(assert.fail, (error) => error);
const real = { fetch: globalThis.fetch, Image: globalThis.Image };

function answering(status, headers) {
  globalThis.fetch = async () => new Response("", { status, headers });
}

/** A picture that the browser cannot show, and of which it does not say why. */
class Broken {
  async decode() {
    throw new Error("EncodingError");
  }
}

afterEach(() => Object.assign(globalThis, real));

test("who loads pictures too fast is told for how long to wait", async () => {
  answering(429, { "Retry-After": "9" });
  globalThis.Image = Broken;
  Object.defineProperty(globalThis, "navigator", { value: { onLine: true }, configurable: true });
  for (const error of [await failed(loadBlobs(challenge)), await failed(loadPicture("/tiles/1/"))]) {
    assert.equal(error.code, "throttled");
    assert.equal(error.retryAfter, 9);
  }
});

test("a picture that is gone, and a server that fails, are told apart", async () => {
  answering(404);
  assert.equal((await failed(loadBlobs(challenge))).code, "gone");
  answering(500);
  assert.equal((await failed(loadBlobs(challenge))).code, "broken");
  globalThis.fetch = () => Promise.reject(new TypeError());
  assert.equal((await failed(loadBlobs(challenge))).code, "offline");
});

test("fetching ahead goes on by itself where the server wanted it slower", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const records = [];
  const kept = {
    add: async (each) => void records.push({ challenge: each }),
    complete: async (token, pictures) => void (records.at(-1).pictures = pictures),
    incomplete: async () => records.filter((r) => !r.pictures).map((r) => r.challenge),
    summary: async () => ({ count: records.filter((r) => r.pictures).length }),
  };
  const issue = async () => challenge;
  const ahead = new Ahead({ issue, loadBlobs, kept, limit: 1, onChange() {} });
  ahead.enabled = true;
  answering(429, { "Retry-After": "9" });
  await ahead.fill();
  assert.equal(ahead.stopped, "throttled");
  answering(200);
  t.mock.timers.tick(9_000);
  await ahead.fill();
  assert.equal(ahead.stopped, "done");
  assert.equal(records.length, 1, "the question that was issued is not lost");
});
