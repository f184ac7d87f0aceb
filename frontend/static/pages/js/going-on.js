/** Screens that ask nothing and only go on: their button, and the promise that it was pressed. */

import { gettext } from "../../shared/translate.js";
import { makeButton } from "./dom.js";

/**
 * Return a promise of true for when `press` is called, of false for when the screen is left;
 * `onPress` is called first.
 */
export function untilPressed(onPress) {
  let resolve;
  const promise = new Promise((done) => {
    resolve = done;
  });
  const press = () => {
    onPress();
    resolve(true);
  };
  press.onLeave = () => resolve(false);
  return { promise, press };
}

/** Return the controls of a screen that only goes on. */
export function goOn(press) {
  const done = makeButton(gettext("Go on"), { key: "Enter", variant: "primary", press });
  return { actions: [done], keys: { Enter: press }, onLeave: press.onLeave };
}

/** Return the parts of a sentence in which an element takes the place of "%(phrase)s". */
export function aroundPhrase(sentence, element) {
  const [before, after = ""] = sentence.split("%(phrase)s");
  return [before, element, after];
}
