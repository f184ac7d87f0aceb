/** A round of questions in sentences alone: each has two sentences and “Neither”. */

import { make } from "../pages/js/dom.js";
import { fill } from "../shared/translate.js";
import { questionParts } from "./question.js";

/** Return what shows a round: { stage, label(), answer(), missing() }. */
export function showSentences({ round: { items }, strings }) {
  const groups = items.map((item, at) => makeGroup(item, { at, count: items.length, strings }));
  const chosen = groups.map((group) => () => group.querySelector("input:checked"));
  return {
    stage: make("div", { class: "sentence-groups" }, ...groups),
    answer: () => ({ choices: chosen.map((choice) => Number(choice().value)) }),
    label: () => strings.submit,
    /** The sentence that says what is unanswered, with the focus there; null if nothing is. */
    missing: () => {
      const at = chosen.findIndex((choice) => !choice());
      if (at < 0) return null;
      groups[at].querySelector("input").focus();
      return fill(strings.unanswered, { number: at + 1 });
    },
  };
}

function makeGroup(item, { at, count, strings }) {
  const number = make("span", { class: "number" }, fill(strings.number, { number: at + 1, count }));
  const heading = make(at ? "h2" : "h1", { tabindex: "-1" }, number, " ", ...questionParts(item));
  const { lang, dir = "auto" } = item;
  const sentences = item.options.map((text, index) =>
    makeOption(at, index + 1, make("bdi", { dir, ...(lang && { lang }) }, text)),
  );
  const neither = makeOption(at, 0, strings.neither);
  return make("fieldset", {}, make("legend", {}, heading), ...sentences, neither);
}

function makeOption(at, value, content) {
  const input = make("input", { type: "radio", name: `choice-${at}`, value: String(value) });
  return make("label", { class: "sentence" }, input, make("span", {}, content));
}
