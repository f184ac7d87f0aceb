import assert from "node:assert/strict";
import { test } from "node:test";

import { Guides } from "../../../frontend/static/pages/js/guides.js";

const circle = { concept: 7, guide: "/guide/7/", guide_version: "a1" };

function storage(items = {}) {
  return { getItem: (key) => items[key] ?? null, setItem: (key, value) => (items[key] = value) };
}

function guides({ get = async () => ({ examples: [] }), load = async () => "picture", kept } = {}) {
  const asked = [];
  const fetch = (address) => {
    asked.push(address);
    return get(address);
  };
  return { asked, guides: new Guides({ get: fetch, load, storage: kept ?? storage() }) };
}

test("a guide is shown until it was seen, and again once it has changed", async () => {
  const { guides: shown, asked } = guides();
  assert.ok(await shown.unseen(circle));
  assert.ok(await shown.of(circle));
  assert.deepEqual(asked, ["/guide/7/"]);
  shown.markSeen(circle);
  assert.equal(await shown.unseen(circle), null);
  assert.ok(await shown.unseen({ ...circle, guide_version: "b2" }));
});

test("what says nothing is not asked for", async () => {
  const { guides: shown, asked } = guides();
  assert.equal(await shown.unseen({ concept: null, guide: "", guide_version: "" }), null);
  assert.equal(await shown.of({ ...circle, guide_version: "" }), null);
  assert.deepEqual(asked, []);
});

test("a guide that does not come holds no question up, and is tried again", async () => {
  let broken = true;
  const get = async () => {
    if (broken) throw new Error("offline");
    return { examples: [] };
  };
  const { guides: shown } = guides({ get });
  assert.equal(await shown.unseen(circle), null);
  broken = false;
  assert.ok(await shown.unseen(circle));
});

test("an example whose picture is gone is left out", async () => {
  const get = async () => ({ examples: [{ url: "there" }, { url: "gone" }] });
  const load = async ({ url }) => {
    if (url === "gone") throw new Error(url);
    return url;
  };
  const { examples } = await guides({ get, load }).guides.of(circle);
  assert.deepEqual(examples.map((example) => example.picture), ["there"]);
});

test("a storage that holds something else is taken for empty", async () => {
  const kept = storage({ "tessera.seen-guides": '{"7": "a1"}' });
  assert.ok(await guides({ kept }).guides.unseen(circle));
});
