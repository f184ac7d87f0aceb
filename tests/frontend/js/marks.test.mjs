import assert from "node:assert/strict";
import { test } from "node:test";

import { ofModel, ofOthers, sentence } from "../../../frontend/static/pages/js/marks.js";

test("others say yes, no, both, or nothing yet", () => {
  assert.equal(ofOthers({ yes: 2, no: 1 }), "yes");
  assert.equal(ofOthers({ yes: 0, no: 1 }), "no");
  assert.equal(ofOthers({ yes: 1, no: 1 }), "divided");
  assert.equal(ofOthers({ yes: 0, no: 0 }), "nothing");
  assert.equal(ofOthers(null), "nothing");
});

test("the model says yes or no, or it is not told", () => {
  assert.deepEqual([false, true, null].map(ofModel), ["no", "yes", "nothing"]);
});

test("both are said in a sentence each", () => {
  assert.equal(
    sentence({ others: { yes: 1, no: 4 }, model: true }),
    "Others: no (4 to 1). The model: yes.",
  );
  assert.equal(sentence({ others: null, model: null }), "Others: not told yet. The model: not told yet.");
});
