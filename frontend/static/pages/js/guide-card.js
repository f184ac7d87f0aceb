/** A concept's definition and examples, as elements. */

import { gettext } from "../../shared/translate.js";
import { make } from "./dom.js";

/**
 * Make the examples: those that show it, then those that do not, below headings of a level; null
 * without any.
 */
export function makeExamples({ examples, definition_lang: lang }, heading = "h2") {
  if (!examples.length) return null;
  const groups = [
    [gettext("Yes"), "yes", examples.filter((example) => example.shows)],
    [gettext("No"), "no", examples.filter((example) => !example.shows)],
  ].filter(([, , group]) => group.length);
  const sections = groups.map((group) => makeGroup(group, heading, lang));
  return make("div", { class: "examples" }, ...sections);
}

/** Make the definition in its own language; null without one. */
export function makeDefinition({ definition, definition_lang: lang }) {
  return definition ? make("p", { class: "definition", lang, dir: "auto" }, definition) : null;
}

function makeGroup([title, shows, examples], heading, lang) {
  const list = make("ul", {}, ...examples.map((example) => makeExample(example, lang)));
  return make("section", { "data-shows": shows }, make(heading, {}, title), list);
}

function makeExample({ shows, hard, note, picture }, lang) {
  const image = picture.cloneNode();
  image.alt = shows
    ? gettext("An example that shows it")
    : gettext("An example that does not show it");
  const caption = make("figcaption", {});
  if (hard) caption.append(make("span", { class: "hard" }, gettext("hard")));
  if (note) caption.append(make("span", { lang, dir: "auto" }, note));
  return make("li", {}, make("figure", {}, image, caption));
}
