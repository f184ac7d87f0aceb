import assert from "node:assert/strict";
import { test } from "node:test";

import { pageStorage } from "../../../frontend/static/pages/js/storage.js";
import { PAUSE, Sitting } from "../../../frontend/static/pages/js/sitting.js";

const MINUTE = 60_000;
const forbidden = {
  getItem() {
    throw new Error("forbidden");
  },
  setItem() {
    throw new Error("forbidden");
  },
};

function begin({ storage = pageStorage(), answers = 100, labels = 7, clock = { time: 0 } } = {}) {
  const sitting = new Sitting({ project: "shapes", storage, now: () => clock.time });
  sitting.begin({ answers, labels });
  return { sitting, storage, clock };
}

test("a sitting counts what was answered since it began", () => {
  const { sitting } = begin();
  sitting.update({ answers: 109, labels: 8 });
  assert.deepEqual([sitting.answers, sitting.labels], [9, 1]);
});

test("an answer that was taken back counts no more", () => {
  const { sitting } = begin();
  sitting.update({ answers: 109, labels: 8 });
  sitting.update({ answers: 100, labels: 7 });
  assert.deepEqual([sitting.answers, sitting.labels], [0, 0]);
});

test("a challenge that was fetched before the last answer changes nothing", () => {
  const { sitting } = begin();
  sitting.update({ answers: 109, labels: 8 });
  sitting.begin({ answers: 100, labels: 7 });
  assert.equal(sitting.answers, 9);
});

test("a reload goes on with the sitting and its goal", () => {
  const { sitting, storage, clock } = begin();
  sitting.choose("pictures", 20);
  sitting.update({ answers: 109, labels: 8 });
  const again = begin({ storage, answers: 109, labels: 8, clock }).sitting;
  assert.equal(again.answers, 9);
  assert.deepEqual(again.progress, { done: 9, of: 20 });
});

test("after a long pause another one begins, with a goal of the same size", () => {
  const { sitting, storage, clock } = begin();
  sitting.choose("pictures", 20);
  sitting.update({ answers: 109, labels: 8 });
  clock.time += PAUSE;
  const again = begin({ storage, answers: 109, labels: 8, clock }).sitting;
  assert.equal(again.answers, 0);
  assert.deepEqual(again.progress, { done: 0, of: 20 });
});

test("somebody else on the same device begins a sitting of their own", () => {
  const { storage, clock } = begin({ answers: 100 });
  const theirs = begin({ storage, answers: 3, labels: 0, clock }).sitting;
  theirs.update({ answers: 4, labels: 0 });
  assert.equal(theirs.answers, 1);
});

test("a goal of pictures counts from when it was chosen, and is reached", () => {
  const { sitting } = begin();
  sitting.update({ answers: 109, labels: 8 });
  sitting.choose("pictures", 20);
  assert.deepEqual(sitting.progress, { done: 0, of: 20 });
  sitting.update({ answers: 136, labels: 8 });
  assert.deepEqual(sitting.progress, { done: 20, of: 20 });
  assert.ok(sitting.isReached);
  sitting.repeat();
  assert.ok(!sitting.isReached);
});

test("a goal of minutes follows the clock, also one that is set back", () => {
  const { sitting, clock } = begin();
  sitting.choose("minutes", 5);
  clock.time = -MINUTE;
  assert.deepEqual(sitting.progress, { done: 0, of: 5 });
  clock.time = 5 * MINUTE;
  assert.ok(sitting.isReached);
  sitting.drop();
  assert.equal(sitting.progress, null);
});

test("where storage is forbidden, full or broken, the page remembers", () => {
  for (const storage of [forbidden, { getItem: () => "{", setItem() {} }, { getItem: () => '{"answers": "many"}', setItem() {} }]) {
    const { sitting } = begin({ storage });
    sitting.choose("pictures", 20);
    sitting.update({ answers: 109, labels: 8 });
    assert.deepEqual(sitting.progress, { done: 9, of: 20 });
  }
});
