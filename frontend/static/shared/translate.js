/**
 * Translations of scripts' sentences: Django's catalogue, which each page loads first; without it
 * (in tests), the English as it is written.
 */

const catalogue = globalThis.django ?? {};

/** Translate a sentence. */
export const gettext = catalogue.gettext ?? ((message) => message);

/** Translate a sentence about a number of things: `ngettext("%s label", "%s labels", count)`. */
export const ngettext =
  catalogue.ngettext ?? ((singular, plural, count) => (count === 1 ? singular : plural));

/** Put values in: by name, `fill("%(count)s of %(total)s", { count, total })`. */
export function fill(message, values) {
  return message.replace(/%\((\w+)\)s/g, (whole, name) => values[name] ?? whole);
}

/** Write a number as the page's language does, with the digits that the keyboard has. */
export function formatNumber(number) {
  const language = globalThis.document?.documentElement.lang || "en";
  return number.toLocaleString(`${language}-u-nu-latn`);
}
