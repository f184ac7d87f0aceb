import assert from "node:assert/strict";
import { test } from "node:test";

import { Client } from "../../../frontend/static/pages/js/client.js";

const answering = (status, body, headers) =>
  new Client({ csrf: "x", fetch: async () => new Response(body, { status, headers }) });

const refused = async (client) => client.answer("t", {}).then(assert.fail, (refusal) => refusal);

test("nothing left to ask is null", async () => {
  assert.equal(await answering(204, null).issue({ project: "demo" }), null);
});

test("the server's code and words are kept", async () => {
  const refusal = await refused(answering(409, '{"code": "answered", "detail": "Before."}'));
  assert.equal(refusal.code, "answered");
  assert.equal(refusal.message, "Before.");
});

test("it waits as long as it is told", async () => {
  assert.equal((await refused(answering(429, "{}", { "Retry-After": "7" }))).wait, 7);
});

test("a failure without JSON has a code of its own", async () => {
  assert.equal((await refused(answering(502, "<html>"))).code, "broken");
  assert.equal((await refused(answering(403, "<html>"))).code, "reload");
});

test("a server out of reach is offline", async () => {
  const client = new Client({ csrf: "x", fetch: () => Promise.reject(new TypeError()) });
  assert.equal((await refused(client)).code, "offline");
});
