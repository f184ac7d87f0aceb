/** Helpers that make elements. */

/** Make an element: `make("button", { class: "button", onclick }, "Submit")`. */
export function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (typeof value === "function") element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

/** Return whether somebody types in an element, so that letters are no keys of the page. */
export function isTypedIn(element) {
  return Boolean(element.closest('input:not([type="radio"]), textarea, select'));
}

/**
 * Make a button; where a keyboard is there, it shows its key, if it has one. `shortcuts` are all
 * its keys as ARIA writes them.
 */
export function makeButton(text, { key, shortcuts = key, variant = "", press }) {
  const button = make("button", { type: "button", class: `button ${variant}`, onclick: press });
  button.append(make("span", { class: "label" }, text));
  if (key) {
    button.setAttribute("aria-keyshortcuts", shortcuts);
    button.append(make("kbd", { "aria-hidden": "true" }, key));
  }
  return button;
}
