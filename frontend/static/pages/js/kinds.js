/** What each kind of challenge puts on the screen: its pictures, its buttons, its keys. */

import { Board } from "./board.js";
import { make, makeButton } from "./dom.js";

const LONGEST = 300; // letters of a sentence
const SHORTEST = 3;

/** Each takes { challenge, pictures, submit, hint } and gives
 * { stage, actions, keys, focus }: elements, handlers by key, and where the focus goes. */
export const KINDS = { grid: choose, split: choose, verify, write };

function choose({ challenge, pictures, submit, hint }) {
  const none = makeButton("None of these", { key: "N", press: answerNone });
  const done = makeButton("Submit", { key: "Enter", look: "primary", press: answerSome });
  const board = new Board({ challenge, pictures, changed });
  changed(board);

  function changed({ selected }) {
    hint("");
    none.setAttribute("aria-disabled", String(selected.length > 0));
    done.setAttribute("aria-disabled", String(selected.length === 0));
    done.querySelector(".label").textContent = selected.length
      ? `Submit ${selected.length}`
      : "Submit";
  }

  function answerNone() {
    if (board.selected.length) hint("Some pictures are selected: submit them, or unselect them.");
    else submit({ selected: [] });
  }

  function answerSome() {
    if (board.selected.length) submit({ selected: board.selected });
    else hint("No picture is selected: select some, or choose “None of these”.");
  }

  const keys = { n: answerNone, Enter: answerSome };
  for (let digit = 1; digit <= 9; digit += 1) keys[digit] = () => board.toggle(digit);
  for (const arrow of ["ArrowUp", "ArrowDown", "ArrowLeft", "ArrowRight"]) {
    keys[arrow] = () => board.focus();
  }
  return { stage: board.element, actions: [none, done], keys, focus: () => board.focus() };
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
    maxlength: LONGEST,
    "aria-labelledby": "question",
    placeholder: "A red bicycle against a wall",
    oninput: () => hint(""),
    onkeydown: (event) => {
      if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      send();
    },
  });
  const done = makeButton("Submit", { key: "Enter", look: "primary", press: send });

  function send() {
    const text = box.value.trim().replace(/\s+/g, " ");
    if (text.length < SHORTEST) hint("Write a few words about what you see, or skip.");
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
