/** The controls of each kind of challenge: its pictures, buttons and keys. */

import { make, makeButton } from "./dom.js";
import { TileGrid } from "./tile-grid.js";

const MAX_LENGTH = 300; // letters of a sentence
const MIN_LENGTH = 3;

/**
 * Each takes { challenge, pictures, submit, hint } and returns { stage, actions, keys, focus }:
 * the element with the pictures, the buttons, handlers by key, and a function that sets the focus.
 */
export const KINDS = { grid: select, split: select, verify, write };

function select({ challenge, pictures, submit, hint }) {
  const none = makeButton("None of these", { key: "N", press: submitNone });
  const done = makeButton("Submit", { key: "Enter", variant: "primary", press: submitSelected });
  const grid = new TileGrid({ challenge, pictures, onChange: showCount });
  showCount(grid);

  function showCount({ selected }) {
    hint("");
    none.setAttribute("aria-disabled", String(selected.length > 0));
    done.setAttribute("aria-disabled", String(selected.length === 0));
    done.querySelector(".label").textContent = selected.length
      ? `Submit ${selected.length}`
      : "Submit";
  }

  function submitNone() {
    if (grid.selected.length) hint("Some pictures are selected: submit them, or unselect them.");
    else submit({ selected: [] });
  }

  function submitSelected() {
    if (grid.selected.length) submit({ selected: grid.selected });
    else hint("No picture is selected: select some, or choose “None of these”.");
  }

  const keys = { n: submitNone, Enter: submitSelected };
  for (let digit = 1; digit <= 9; digit += 1) keys[digit] = () => grid.toggle(digit);
  for (const arrow of ["ArrowUp", "ArrowDown", "ArrowLeft", "ArrowRight"]) {
    keys[arrow] = () => grid.focus();
  }
  return { stage: grid.element, actions: [none, done], keys, focus: () => grid.focus() };
}

function verify({ pictures, submit }) {
  const yes = makeButton("Yes", { key: "Y", press: () => submit({ yes: true }) });
  const no = makeButton("No", { key: "N", press: () => submit({ yes: false }) });
  return {
    stage: makeFigure(pictures[0]),
    actions: [yes, no],
    keys: { y: () => yes.click(), n: () => no.click() },
    focus: () => document.getElementById("question").focus({ preventScroll: true }),
  };
}

function write({ pictures, submit, hint }) {
  const box = make("textarea", {
    id: "sentence",
    rows: 2,
    maxlength: MAX_LENGTH,
    "aria-labelledby": "question",
    placeholder: "A red bicycle against a wall",
    oninput: () => hint(""),
    onkeydown: (event) => {
      if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      send();
    },
  });
  const done = makeButton("Submit", { key: "Enter", variant: "primary", press: send });

  function send() {
    const text = box.value.trim().replace(/\s+/g, " ");
    if (text.length < MIN_LENGTH) hint("Write a few words about what you see, or skip.");
    else submit({ text });
  }

  return {
    stage: makeFigure(pictures[0]),
    actions: [box, done],
    keys: {},
    focus: () => matchMedia("(hover: hover)").matches && box.focus({ preventScroll: true }),
  };
}

function makeFigure(picture) {
  picture.alt = "The picture that is asked about";
  return make("figure", { class: "single" }, picture);
}
