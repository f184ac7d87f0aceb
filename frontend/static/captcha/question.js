/** The heading above a round, or above one of its questions. */

import { make } from "../pages/js/dom.js";

/** Make the question's parts: what is before the subject, the subject, what is after. */
export function questionParts({ before = "", subject = "", after = "", lang, dir = "auto" }) {
  const phrase = make("bdi", { class: "subject", dir, ...(lang && { lang }) }, subject);
  return [make("span", { class: "before" }, before), " ", phrase, after];
}
