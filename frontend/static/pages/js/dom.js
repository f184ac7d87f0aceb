/** Small helpers to make elements. */

/** `make("button", { class: "button", onclick })`, with text or elements as children. */
export function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (typeof value === "function") element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

/** A button that shows its key, if it has one, to those who have a keyboard. */
export function makeButton(text, { key, look = "", press }) {
  const button = make("button", { type: "button", class: `button ${look}`, onclick: press });
  button.append(make("span", { class: "label" }, text));
  if (key) {
    button.setAttribute("aria-keyshortcuts", key);
    button.append(make("kbd", { "aria-hidden": "true" }, key));
  }
  return button;
}
