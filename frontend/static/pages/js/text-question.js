/**
 * A question without a picture: which of two sentences says the same as the one in the heading?
 * A radio group that has keys of its own, and Enter submits.
 */

import { gettext } from "../../shared/translate.js";
import { make, makeButton } from "./dom.js";

const NEITHER = 0;

/** See `KINDS`: takes { challenge, body, submit, note } and returns { stage, actions, keys }. */
export function textQuestion({ challenge, body, submit, note }) {
  const options = [
    ...challenge.sentences.map(makeSentence),
    makeOption(NEITHER, "N", make("span", {}, gettext("Neither: both describe other pictures"))),
  ];
  const legend = make("legend", { class: "hidden-text" }, gettext("Which one says the same?"));
  const group = make("fieldset", { class: "sentences", onchange: showChoice }, legend, ...options);
  const done = makeButton(gettext("Submit"), {
    key: "Enter",
    shortcuts: "Enter F Control+Enter Meta+Enter",
    variant: "primary",
    press: send,
  });
  if (body) inputOf(body.choice).checked = true;
  showChoice();

  function inputOf(number) {
    return group.querySelector(`input[value="${number}"]`);
  }

  function choose(number) {
    const input = inputOf(number);
    input.checked = true;
    input.focus({ preventScroll: true });
    showChoice();
  }

  function showChoice() {
    note("");
    done.setAttribute("aria-disabled", String(!group.querySelector("input:checked")));
  }

  function send() {
    const chosen = group.querySelector("input:checked");
    if (chosen) return submit({ choice: Number(chosen.value) });
    note(gettext("Nothing is chosen: choose a sentence or “Neither”, or skip."));
  }

  return {
    stage: group,
    actions: [done],
    keys: {
      1: () => choose(1),
      2: () => choose(2),
      0: () => choose(NEITHER),
      n: () => choose(NEITHER),
      f: send,
      Enter: send,
    },
  };
}

function makeSentence({ number, text, lang, dir }) {
  return makeOption(number, String(number), make("bdi", { lang, dir }, text));
}

function makeOption(number, key, content) {
  const input = make("input", {
    type: "radio",
    name: "choice",
    value: String(number),
    "aria-keyshortcuts": key,
  });
  const mark = make("kbd", { "aria-hidden": "true" }, key);
  return make("label", { class: "sentence", "data-number": String(number) }, input, content, mark);
}
