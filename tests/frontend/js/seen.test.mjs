import assert from "node:assert/strict";
import { test } from "node:test";

import { Seen } from "../../../frontend/static/pages/js/seen.js";

function setUp() {
  const clock = { now: 1_000 };
  return { clock, seen: new Seen({ now: () => clock.now }) };
}

test("nothing is seen before it is painted", () => {
  const { clock, seen } = setUp();
  seen.restart();
  clock.now += 5_000;
  assert.equal(seen.time, 0);
  assert.equal(seen.isLongEnough, false);
});

test("it has been seen 300 ms after it was painted", () => {
  const { clock, seen } = setUp();
  seen.restart();
  seen.paint();
  clock.now += 299;
  assert.equal(seen.isLongEnough, false);
  clock.now += 1;
  assert.equal(seen.isLongEnough, true);
});

test("time in which the tab is hidden does not count", () => {
  const { clock, seen } = setUp();
  seen.restart();
  seen.paint();
  clock.now += 200;
  seen.setVisible(false);
  seen.setVisible(false);
  clock.now += 60_000;
  assert.equal(seen.time, 200);
  seen.setVisible(true);
  clock.now += 100;
  assert.equal(seen.time, 300);
});

test("what was painted in a hidden tab counts from when it is looked at", () => {
  const { clock, seen } = setUp();
  seen.setVisible(false);
  seen.restart();
  seen.paint();
  clock.now += 1_000;
  assert.equal(seen.time, 0);
  seen.setVisible(true);
  clock.now += 300;
  assert.equal(seen.isLongEnough, true);
});

test("the next picture starts over", () => {
  const { clock, seen } = setUp();
  seen.restart();
  seen.paint();
  clock.now += 900;
  seen.restart();
  assert.equal(seen.time, 0);
  seen.paint();
  clock.now += 10;
  assert.equal(seen.time, 10);
});
