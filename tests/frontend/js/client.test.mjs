import assert from "node:assert/strict";
import { test } from "node:test";

import { Challenges } from "../../../frontend/static/pages/js/challenges.js";
import { Client } from "../../../frontend/static/shared/client.js";
import { Generations } from "../../../frontend/static/studio/generations.js";

const answering = (status, body, headers) =>
  new Client({ csrf: "x", fetch: async () => new Response(body, { status, headers }) });

const failed = async (client) => client.post("/api/").then(assert.fail, (error) => error);

/** A client that answers with {}, and the requests that it sent. */
function recording() {
  const requests = [];
  const fetch = async (address, options) => {
    requests.push({ address, ...options });
    return Response.json({});
  };
  return { client: new Client({ csrf: "secret", fetch }), requests };
}

test("nothing left to ask is null", async () => {
  const challenges = new Challenges(answering(204, null));
  assert.equal(await challenges.issue({ project: "demo" }), null);
});

test("the server's code and words are kept", async () => {
  const error = await failed(answering(409, '{"code": "answered", "detail": "Before."}'));
  assert.equal(error.code, "answered");
  assert.equal(error.message, "Before.");
});

test("it waits as long as it is told", async () => {
  const error = await failed(answering(429, "{}", { "Retry-After": "7" }));
  assert.equal(error.code, "throttled");
  assert.equal(error.retryAfter, 7);
});

test("a failure without JSON has a code of its own", async () => {
  assert.equal((await failed(answering(502, "<html>"))).code, "broken");
  assert.equal((await failed(answering(403, "<html>"))).code, "reload");
});

test("a server out of reach is offline", async () => {
  const client = new Client({ csrf: "x", fetch: () => Promise.reject(new TypeError()) });
  assert.equal((await failed(client)).code, "offline");
});

test("JSON is posted with the CSRF token", async () => {
  const { client, requests } = recording();
  await new Challenges(client).answer("a/b", { selected: [1] });
  const [{ address, method, headers, body }] = requests;
  assert.equal(address, "/api/v1/challenges/a%2Fb/answer/");
  assert.equal(method, "POST");
  assert.deepEqual(headers, { "X-CSRFToken": "secret", "Content-Type": "application/json" });
  assert.equal(body, '{"selected":[1]}');
});

test("an upload goes along in a form, without what is not chosen", async () => {
  const { client, requests } = recording();
  await new Generations(client).create({ prompt: "a frog", guidance: null }, new Blob(["x"]));
  const [{ headers, body }] = requests;
  assert.deepEqual(headers, { "X-CSRFToken": "secret" });
  assert.deepEqual([...body.keys()], ["prompt", "source_image"]);
});

test("the token is read when it is sent: signing in elsewhere changes it", async () => {
  const tokens = ["before", "after"];
  const seen = [];
  const fetch = async (address, { headers }) => {
    seen.push(headers["X-CSRFToken"]);
    return new Response("{}", { status: 200 });
  };
  const client = new Client({ csrf: () => tokens.shift(), fetch });
  await client.post("/");
  await client.post("/");
  assert.deepEqual(seen, ["before", "after"]);
});
