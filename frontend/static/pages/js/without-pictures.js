/** Questions without pictures: whether this device asks for them, and the links that lead there. */

const KEY = "tessera.without-pictures";
const TEXT = "text";

/**
 * Return the kind of question to ask for: the one in the address or, where it names none, text
 * where that was chosen on this device before and the project offers it.
 */
export function preferredKind(storage, { kind, offered }) {
  return !kind && offered && storage.getItem(KEY) ? TEXT : kind;
}

/** Remember on this device which kind somebody went to: with pictures, or without. */
export function rememberKind(storage, kind) {
  storage.setItem(KEY, kind === TEXT ? "1" : "");
}

/** Let the page's links say which kind is asked, and remember the one that is followed. */
export function followLinks(page, storage, kind) {
  for (const link of page.querySelectorAll("[data-kind-link]")) {
    const own = link.dataset.kindLink;
    link.addEventListener("click", () => rememberKind(storage, own));
    if (!link.closest(".kinds")) link.hidden = (own === TEXT) === (kind === TEXT);
    else if (own === kind) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
}
