import assert from "node:assert/strict";
import { test } from "node:test";

import { Rate, Upload, fingerprint } from "../../../frontend/static/project/upload.js";
import { ApiError } from "../../../frontend/static/shared/client.js";

const PART = 4 * 1024 * 1024;

function source(path, content, modified = 7) {
  const blob = new Blob([content]);
  return { path, size: blob.size, modified, read: async (start, end) => blob.slice(start, end) };
}

/** A server that keeps what comes, and loses the connection when it is told to. */
class Server {
  files = [];
  requests = [];
  state = "uploading";
  partBytes = PART;
  losses = 0; // requests that never arrive …
  unheard = 0; // … and whose answers never arrive

  async get() {
    return { id: 5, state: this.state };
  }

  async post(address, body) {
    const step = address.split("/").at(-2);
    this.requests.push(step);
    if (this.losses-- > 0) throw new ApiError("offline", "");
    const answer = await this[step](body);
    if (this.unheard-- > 0) throw new ApiError("offline", "");
    return answer;
  }

  async imports(body) {
    this.begun = body;
    return { id: 5, part_bytes: this.partBytes };
  }

  async files_(list) {
    return list.map(({ path, size }) => {
      if (path.startsWith("..")) return { number: 99, received: 0, problem: "leaves the folder" };
      if (path.startsWith(".")) return { number: null, received: 0, problem: "passed over" };
      let number = this.files.findIndex((file) => file.path === path);
      if (number < 0) number = this.files.push({ path, size, content: "" }) - 1;
      if (this.files[number].size !== size) this.files[number] = { path, size, content: "" };
      return { number, received: this.files[number].content.length, problem: "" };
    });
  }

  async parts(form) {
    const changed = [];
    for (const [name, blob] of form) {
      const [number, offset] = name.split("@").map(Number);
      const file = this.files[number];
      if (offset > file.content.length) throw new ApiError("gap", "");
      file.content = file.content.slice(0, offset) + (await blob.text());
      changed.push({ number, received: file.content.length });
    }
    return { files: changed };
  }

  async complete() {
    if (this.files.some(({ size, content }) => size !== content.length)) {
      throw new ApiError("incomplete", "");
    }
    if (this.state !== "uploading") throw new ApiError("conflict", "");
    this.state = "reading";
    return { id: 5, state: this.state };
  }
}

function setUp(sources, { server = new Server(), ...options } = {}) {
  const client = {
    get: () => server.get(),
    post: (address, body) => server.post(address.replace(/files\/$/, "announced/"), body),
  };
  server.announced = async ({ files }) => ({ files: await server.files_(files) });
  const pauses = [];
  const told = [];
  const upload = new Upload({
    client,
    begin: "/api/v1/projects/birds/imports/",
    imports: "/api/v1/imports/",
    name: "box",
    sources,
    sleep: async (milliseconds) => pauses.push(milliseconds / 1000),
    onProgress: (progress) => told.push(progress),
    ...options,
  });
  return { upload, server, pauses, told };
}

const contents = (server) => server.files.map(({ path, content }) => `${path}: ${content}`);

test("small files go together, and the import is handed over", async () => {
  const { upload, server } = setUp([source("a.png", "aa"), source("b.png", "b")]);
  assert.deepEqual(await upload.run(), { id: 5, state: "reading" });
  assert.deepEqual(contents(server), ["a.png: aa", "b.png: b"]);
  assert.deepEqual(server.requests, ["imports", "announced", "parts", "complete"]);
  assert.equal(server.begun.files, 2);
  assert.equal(server.begun.bytes, 3);
});

test("a large file goes in several parts", async () => {
  const server = new Server();
  server.partBytes = 4;
  const { upload, told } = setUp([source("a.zip", "0123456789"), source("b.png", "b")], { server });
  await upload.run();
  assert.deepEqual(contents(server), ["a.zip: 0123456789", "b.png: b"]);
  assert.equal(server.requests.filter((step) => step === "parts").length, 3);
  assert.deepEqual(told.filter(({ phase }) => phase === "sending").map(({ sent }) => sent), [4, 8, 11]);
});

test("a lost connection is waited for, longer each time, and nothing is sent twice", async () => {
  const server = new Server();
  const { upload, pauses, told } = setUp([source("a.png", "abc")], { server });
  server.losses = 3;
  await upload.run();
  assert.deepEqual(pauses, [1, 2, 4]);
  assert.deepEqual(contents(server), ["a.png: abc"]);
  assert.equal(told[0].phase, "waiting");
  assert.equal(told.at(-1).sent, 3);
});

test("an answer that was lost is asked for again", async () => {
  const server = new Server();
  const { upload } = setUp([source("a.png", "abc")], { server });
  const { parts } = server;
  server.parts = async (form) => {
    const answer = await parts.call(server, form);
    server.parts = parts;
    server.unheard = 1;
    return answer;
  };
  await upload.run();
  assert.deepEqual(contents(server), ["a.png: abc"]);
});

test("what the server has already is not sent again", async () => {
  const server = new Server();
  server.files = [
    { path: "a.png", size: 3, content: "abc" },
    { path: "b.png", size: 3, content: "x" },
  ];
  const sent = [];
  const { parts } = server;
  server.parts = (form) => (sent.push(...form.keys()), parts.call(server, form));
  const { upload, told } = setUp([source("a.png", "abc"), source("b.png", "xyz")], { server });
  await upload.run();
  assert.deepEqual(sent, ["1@1"]);
  assert.equal(told.at(-1).sent, 6);
});

test("after a gap it goes on from what the server has", async () => {
  const server = new Server();
  const { upload } = setUp([source("a.png", "abc")], { server });
  let first = true;
  const files = server.files_;
  server.files_ = async (list) => {
    const answer = await files.call(server, list);
    if (first) answer[0].received = 2; // which the disk lost since
    first = false;
    return answer;
  };
  await upload.run();
  assert.deepEqual(contents(server), ["a.png: abc"]);
});

test("a full disk is waited for, with the server's own words", async () => {
  const server = new Server();
  const { upload, told } = setUp([source("a.png", "abc")], { server });
  const { parts } = server;
  server.parts = async () => {
    server.parts = parts;
    throw new ApiError("disk_full", "The server's disk is full.", 5);
  };
  await upload.run();
  const waiting = told.find(({ phase }) => phase === "waiting");
  assert.equal(waiting.error.message, "The server's disk is full.");
  assert.equal(waiting.retryIn, 5);
});

test("what is refused is named and not sent, and what is passed over is not", async () => {
  const { upload, server } = setUp([source("../x", "x"), source(".DS_Store", "x"), source("a.png", "a")]);
  await upload.run();
  assert.deepEqual(upload.refused, [{ path: "../x", problem: "leaves the folder" }]);
  assert.deepEqual(contents(server), ["a.png: a"]);
});

test("a file that was moved away keeps the others from nothing", async () => {
  const gone = { ...source("gone.png", "gone"), read: () => Promise.reject(new Error("NotFound")) };
  const { upload, server } = setUp([gone, source("a.png", "a")]);
  assert.equal((await upload.run()).state, "reading");
  assert.deepEqual(contents(server), ["gone.png: ", "a.png: a"]);
  assert.match(upload.refused[0].problem, /could not be read/);
});

test("another window that was quicker is no error, a cancelled upload is", async () => {
  for (const [state, message] of [["reading", null], ["cancelled", "conflict"]]) {
    const server = new Server();
    const { upload } = setUp([source("a.png", "a")], { server });
    server.state = state;
    const outcome = await upload.run().then((record) => record.state, (error) => error.code);
    assert.equal(outcome, message ?? "reading");
  }
});

test("what no waiting mends ends it", async () => {
  const server = new Server();
  const { upload, pauses } = setUp([source("a.png", "a")], { server });
  server.imports = async () => {
    throw new ApiError("permission_denied", "You may not do this.");
  };
  await assert.rejects(upload.run(), { code: "permission_denied" });
  assert.deepEqual(pauses, []);
});

test("once stopped, nothing more is sent", async () => {
  const { upload, server } = setUp([source("a.png", "a")]);
  upload.stop();
  await assert.rejects(upload.run(), { code: "stopped" });
  assert.deepEqual(server.requests, []);
});

test("a hundred thousand files are announced page by page", async () => {
  const sources = Array.from({ length: 2_000 }, (_, number) => ({ ...source(`${number}`, ""), size: 0 }));
  const { upload, server } = setUp(sources);
  await upload.run();
  assert.equal(server.requests.filter((step) => step === "announced").length, 4);
});

test("requests become smaller on a slow line", async () => {
  const server = new Server();
  let time = 0;
  const sizes = [];
  const { parts } = server;
  server.parts = (form) => {
    time += 60_000;
    sizes.push([...form.values()][0].size);
    return parts.call(server, form);
  };
  const { upload } = setUp([source("a.zip", "x".repeat(PART * 2))], { server, now: () => time });
  await upload.run();
  assert.deepEqual(sizes.slice(0, 3), [PART, PART / 2, PART / 4]);
});

test("the fingerprint tells lists apart, whatever their order", () => {
  const [a, b] = [source("a", "1"), source("b", "2")];
  assert.match(fingerprint([a, b]), /^[0-9a-f]{32}$/);
  assert.equal(fingerprint([a, b]), fingerprint([b, a]));
  const others = [[a], [a, source("b", "22")], [a, source("b", "2", 8)], [a, source("c", "2")]];
  for (const other of others) assert.notEqual(fingerprint(other), fingerprint([a, b]));
});

test("the rate is that of the last half minute", () => {
  const rate = new Rate();
  assert.equal(rate.value, 0);
  rate.add(1_000, 1_000);
  assert.equal(Math.round(rate.value), 1_000);
  rate.add(100_000, 1_000_000);
  assert.equal(Math.round(rate.value), 100);
});
