/** The controls of each kind of challenge: its pictures, buttons and keys. */

import { fill, gettext } from "../../shared/translate.js";
import { make, makeButton } from "./dom.js";
import { TILE_KEYS } from "./keys.js";
import { writeIn } from "./messages.js";
import { textQuestion } from "./text-question.js";
import { TileGrid } from "./tile-grid.js";

const MAX_LENGTH = 300; // letters of a sentence
const MIN_LENGTH = 3;
const SUBMIT = { key: "F", shortcuts: "F Control+Enter Meta+Enter", variant: "primary" };

/**
 * Each takes { challenge, pictures, body, submit, note } and returns { stage, actions, keys,
 * focus }: the element with the pictures, the buttons, handlers by key, and a function that sets
 * the focus where it is not to go to the question. `body` is the answer that was taken back, or
 * null; `note(text)` says a sentence beside the buttons. A kind with tiles has `focusTile`, too.
 */
export const KINDS = { grid: select, split: select, verify, write, text: textQuestion };

function select({ challenge, pictures, body, submit, note }) {
  const none = makeButton(gettext("None of these"), { key: "N", press: submitNone });
  const done = makeButton(gettext("Submit"), { ...SUBMIT, press: submitSelected });
  const grid = new TileGrid({ challenge, pictures, selected: body?.selected, onChange });
  showCount();

  function onChange() {
    note("");
    showCount();
  }

  function showCount() {
    const count = grid.selected.length;
    none.setAttribute("aria-disabled", String(count > 0));
    done.setAttribute("aria-disabled", String(count === 0));
    done.querySelector(".label").textContent = count
      ? fill(gettext("Submit %(count)s"), { count })
      : gettext("Submit");
  }

  function submitNone() {
    if (!grid.selected.length) return submit({ selected: [] });
    note(gettext("Some pictures are selected: submit them, or unselect them."));
  }

  function submitSelected() {
    if (grid.selected.length) return submit({ selected: grid.selected });
    note(gettext("No picture is selected: select some, or choose “None of these”."));
  }

  const focusTile = () => grid.focus();
  const keys = { n: submitNone, f: submitSelected, Enter: submitSelected };
  TILE_KEYS.forEach((key, at) => {
    keys[key] = () => grid.toggle(at + 1);
  });
  for (const arrow of ["ArrowUp", "ArrowDown", "ArrowLeft", "ArrowRight"]) keys[arrow] = focusTile;
  return { stage: grid.element, actions: [none, done], keys, focusTile };
}

function verify({ pictures, submit }) {
  const yes = () => submit({ yes: true });
  const no = () => submit({ yes: false });
  return {
    stage: makeFigure(pictures[0]),
    actions: [
      makeButton(gettext("Yes"), { key: "Y", press: yes }),
      makeButton(gettext("No"), { key: "N", press: no }),
    ],
    keys: { y: yes, n: no },
  };
}

function write({ challenge, pictures, body, submit, note }) {
  const isForeign = writeIn(challenge.lang, document.documentElement.lang) !== "";
  const box = make("textarea", {
    id: "sentence",
    rows: 2,
    maxlength: MAX_LENGTH,
    "aria-labelledby": "question",
    "aria-describedby": "hint",
    lang: challenge.lang,
    dir: "auto",
    placeholder: isForeign ? "" : gettext("A red bicycle against a wall"),
    oninput: () => note(""),
    onkeydown: (event) => {
      if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      send();
    },
  });
  box.value = body?.text ?? "";
  const shortcuts = "Enter Control+Enter Meta+Enter";
  const done = makeButton(gettext("Submit"), { ...SUBMIT, key: "Enter", shortcuts, press: send });

  function send() {
    const text = box.value.trim().replace(/\s+/g, " ");
    if (text.length >= MIN_LENGTH) return submit({ text });
    note(gettext("Write a few words about what you see, or skip."));
  }

  return {
    stage: make("div", { class: "written" }, makeFigure(pictures[0]), box),
    actions: [done],
    keys: { Enter: send },
    focus: matchMedia("(hover: hover)").matches && (() => box.focus({ preventScroll: true })),
  };
}

function makeFigure(picture) {
  picture.alt = gettext("The picture that is asked about");
  return make("figure", { class: "single" }, picture);
}
