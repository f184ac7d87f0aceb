/** The question above the picture: what is before, in and after the subject. */

/** Show a question. `asked_in` is the language of `before` and `after`, `lang` the subject's. */
export function showQuestion(
  parts,
  { before = "", subject = "", after = "", lang = "", dir = "auto", asked_in = "" },
) {
  parts.before.textContent = before;
  parts.subject.textContent = subject || before;
  parts.after.textContent = after;
  for (const part of [parts.before, parts.after]) markLanguage(part, asked_in);
  parts.subject.dir = dir;
  if (subject && lang) parts.subject.lang = lang;
  else parts.subject.removeAttribute("lang");
  parts.before.hidden = !subject;
  const { length } = subject || before;
  parts.subject.dataset.length = length > 90 ? "long" : length > 32 ? "middle" : "short";
}

export function pageLanguage() {
  return document.documentElement.lang;
}

/** Mark what was written in another language than the page, as before somebody chose another. */
function markLanguage(element, language) {
  const isOther = language && language !== pageLanguage();
  for (const [name, value] of [["lang", language], ["dir", "auto"]]) {
    if (isOther) element.setAttribute(name, value);
    else element.removeAttribute(name);
  }
}
