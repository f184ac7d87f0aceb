import assert from "node:assert/strict";
import test from "node:test";

import { decide, nameOf } from "../../../frontend/static/pages/js/keeper.js";

const newcomer = nameOf({ user: "", visitor: "" });
const visitor = nameOf({ user: "", visitor: "5eed" });
const stranger = nameOf({ user: "", visitor: "beef" });
const carol = nameOf({ user: "7", visitor: "" });
const bob = nameOf({ user: "8", visitor: "5eed" });
const on = (keeper, current, isCertain = true) => decide(keeper, current, { isCertain });

test("what somebody kept stays theirs, and nobody who kept nothing loses anything", () => {
  for (const name of [newcomer, visitor, carol]) {
    assert.equal(on(name, name), "keep");
    assert.equal(on(null, name), "keep");
  }
});

test("what a visitor kept becomes the account's", () => {
  assert.equal(on(newcomer, visitor), "note");
  assert.equal(on(visitor, carol), "note");
});

test("nothing is left of whoever signed out, was forgotten, or is somebody else now", () => {
  assert.equal(on(carol, newcomer), "forget");
  assert.equal(on(carol, bob), "forget");
  assert.equal(on(carol, visitor), "forget");
  assert.equal(on(visitor, stranger), "forget");
  assert.equal(on(visitor, newcomer), "forget");
});

test("a page that was kept before its visitor had a cookie forgets nothing", () => {
  assert.equal(on(visitor, newcomer, false), "keep");
});
