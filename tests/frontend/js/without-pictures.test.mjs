import assert from "node:assert/strict";
import test from "node:test";

import {
  otherKind,
  preferredKind,
  rememberKind,
} from "../../../frontend/static/pages/js/without-pictures.js";
import { pageStorage } from "../../../frontend/static/pages/js/storage.js";

test("questions without pictures are asked again on a device that chose them", () => {
  const storage = pageStorage();
  assert.equal(preferredKind(storage, { kind: "", offered: true }), "");
  rememberKind(storage, "text");
  assert.equal(preferredKind(storage, { kind: "", offered: true }), "text");
});

test("where a project has none, or the address names a kind, that is asked", () => {
  const storage = pageStorage();
  rememberKind(storage, "text");
  assert.equal(preferredKind(storage, { kind: "", offered: false }), "");
  assert.equal(preferredKind(storage, { kind: "grid", offered: true }), "grid");
});

test("whoever goes back to pictures is asked with pictures", () => {
  const storage = pageStorage();
  rememberKind(storage, "text");
  rememberKind(storage, "");
  assert.equal(preferredKind(storage, { kind: "", offered: true }), "");
});

test("where nothing is left of a kind, another one follows, as far as the project has any", () => {
  assert.equal(otherKind("grid", { offered: false }), "");
  assert.equal(otherKind("text", { offered: true }), "");
  assert.equal(otherKind("", { offered: true }), "text");
  assert.equal(otherKind("", { offered: false }), null);
});
