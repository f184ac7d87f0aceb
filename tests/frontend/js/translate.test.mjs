import assert from "node:assert/strict";
import { test } from "node:test";

globalThis.django = {
  gettext: (message) => ({ Submit: "إرسال" })[message] ?? message,
  ngettext: (singular, plural, count) => (count === 2 ? "إجابتان" : plural),
};
globalThis.document = { documentElement: { lang: "ar" } };
const { fill, formatNumber, gettext, ngettext } = await import(
  "../../../frontend/static/shared/translate.js"
);

test("a sentence comes from the page's catalogue, or stays as it is written", () => {
  assert.equal(gettext("Submit"), "إرسال");
  assert.equal(gettext("Go on"), "Go on");
  assert.equal(ngettext("%(count)s answer", "%(count)s answers", 2), "إجابتان");
});

test("values are put in by name, in any order and more than once", () => {
  assert.equal(fill("%(b)s, %(a)s, %(b)s", { a: 1, b: 2 }), "2, 1, 2");
  assert.equal(fill("100 % of %(a)s, %(missing)s", { a: "x" }), "100 % of x, %(missing)s");
});

test("a value that looks like a placeholder is not filled in again", () => {
  assert.equal(fill("“%(prompt)s” %(count)s", { prompt: "%(count)s", count: 3 }), "“%(count)s” 3");
});

test("numbers have the language's marks and the keyboard's digits", () => {
  assert.equal(formatNumber(1234567), "1,234,567");
  document.documentElement.lang = "de";
  assert.equal(formatNumber(1234567), "1.234.567");
});
