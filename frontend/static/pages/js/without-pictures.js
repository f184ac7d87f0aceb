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

/**
 * Return the kind to go on with where nothing is left of one: "" for any with pictures, or text
 * where there were none of any; null where the project has no other.
 */
export function otherKind(kind, { offered }) {
  if (kind) return "";
  return offered ? TEXT : null;
}

/** Return what leads from a kind to another one; null where the project has no other. */
export function elsewhere(storage, { kind, offered, location }) {
  const other = otherKind(kind, { offered });
  if (other === null) return null;
  return () => {
    rememberKind(storage, other);
    location.assign(other ? `?kind=${other}` : "?");
  };
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
