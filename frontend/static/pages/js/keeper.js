/**
 * Whose are the questions that this device keeps. Knows no DOM.
 *
 * Somebody is named by the id of their account; a visitor by "v" and the key of their cookie, which
 * is empty for whoever has none yet.
 */

const VISITOR = "v";
const NEWCOMER = VISITOR;

/** Return the name of somebody by their account's id, or the visitor's key; either may be "". */
export function nameOf({ user, visitor }) {
  return user || VISITOR + (visitor ?? "");
}

/**
 * Return what becomes of what `keeper` kept once `current` looks at a page: "keep" it, "note" that it
 * is theirs from now on, or "forget" it. `keeper` is null where nothing was kept; `isCertain` says
 * whether the page knows that its visitor has no cookie: one that was kept itself does not.
 */
export function decide(keeper, current, { isCertain }) {
  if (keeper === null || keeper === current) return "keep";
  if (isVisitor(keeper) && !isVisitor(current)) return "note"; // they have signed in
  if (keeper === NEWCOMER && isVisitor(current)) return "note"; // they have a cookie by now
  if (current === NEWCOMER && !isCertain) return "keep";
  return "forget";
}

/** Return whether somebody has no account. */
export function isVisitor(name) {
  return name.startsWith(VISITOR);
}
