import assert from "node:assert/strict";
import { test } from "node:test";

import { progress, writeIn } from "../../../frontend/static/pages/js/messages.js";
import { labels } from "../../../frontend/static/pages/js/sitting-messages.js";

test("how often a label became certain is no number of labels", () => {
  const text = progress({ answers: 1200, labels: 315 });
  assert.equal(text, "1,200 answers from you · helped 315 times to make a label certain");
  assert.equal(labels(315), "You helped 315 times to make a label certain.");
});

test("whose answers made no label certain yet is told of the answers alone", () => {
  assert.equal(progress({ answers: 1, labels: 0 }), "1 answer from you");
});

test("it is said in which language to write where that is not the page's", () => {
  assert.equal(writeIn("de", "en"), "Write in German.");
  assert.equal(writeIn("pt-BR", "de"), "Write in Portugiesisch (Brasilien).");
  assert.equal(writeIn("zh-Hans", "zh-hans"), "");
  assert.equal(writeIn("en-GB", "en"), "");
});
