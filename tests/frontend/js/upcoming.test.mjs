/** What comes next on the challenge page: what was set aside, and then what is fetched. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { Upcoming } from "../../../frontend/static/pages/js/upcoming.js";

const challenge = (token, deadline = 60_000) => ({ challenge: { token }, deadline });

function makeUpcoming(options = {}) {
  const started = [];
  const prefetcher = { next: async () => challenge("fetched"), start: () => started.push(true) };
  const upcoming = new Upcoming({ prefetcher, now: () => 0, ...options });
  const next = async () => (await upcoming.next()).challenge.token;
  return { upcoming, next, started };
}

test("what was set aside comes first, in its order, and what was put back before it", async () => {
  const { upcoming, next } = makeUpcoming();
  upcoming.setAside(challenge("first"));
  upcoming.setAside(challenge("second"));
  upcoming.putBack(challenge("back"));
  assert.equal(await next(), "back");
  assert.equal(await next(), "first");
  assert.equal(await next(), "second");
  assert.equal(await next(), "fetched");
});

test("what is soon over is not shown any more", async () => {
  const { upcoming, next } = makeUpcoming();
  upcoming.setAside(challenge("soon over", 4_000));
  assert.equal(await next(), "fetched");
});

test("nothing is fetched while something is set aside", async () => {
  const { upcoming, next, started } = makeUpcoming();
  upcoming.setAside(challenge("aside"));
  upcoming.prepare();
  assert.equal(started.length, 0);
  await next();
  upcoming.prepare();
  assert.equal(started.length, 1);
});

test("what the server takes for unseen is asked again", async () => {
  const returned = [];
  const { upcoming, next } = makeUpcoming({ kept: { giveBack: (token) => returned.push(token) } });
  upcoming.leave(challenge("too fast"));
  upcoming.askAgain("too fast");
  upcoming.askAgain("of another page");
  assert.equal(await next(), "too fast");
  assert.deepEqual(returned, ["of another page"]);
});
