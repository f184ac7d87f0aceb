/** The sentences of the challenge screen. Knows no DOM. */

import { fill, formatNumber, gettext, ngettext } from "../../shared/translate.js";

export const GENERATED = gettext("A picture before this one was drawn by a model.");

export const STILL_NOTHING = gettext("Still nothing new: please come back later.");

export const TOO_SOON = gettext(
  "That press came before the pictures could be seen: it was not taken.",
);

export const SENT = gettext("Answered.");

export const SKIPPED = gettext("Skipped.");

export const UNDONE = gettext("Taken back: answer again.");

export const COMING = gettext("The next question is coming.");

export const EXPIRED = [
  gettext("This question has been open too long"),
  gettext("Its pictures have expired. What you answered before is kept."),
];

const HINTS = {
  grid: gettext("Select every picture that shows it. If none does, say so: that is an answer too."),
  split: gettext("Select every part of the picture that shows some of it. If none does, say so."),
  verify: gettext("If you cannot tell, skip: a guess helps nobody."),
  text: gettext(
    "Choose the sentence that says the same in other words. If you cannot tell from what was said, skip.",
  ),
  write: gettext("One plain sentence, as you would say it to someone who cannot see the picture."),
};

export const PRACTICE = gettext(
  "Nothing that you answer in practice is recorded. Skip leaves it out.",
);

/** Say whether an answer in practice was right, with "%(phrase)s" in place of the phrase. */
export function feedback({ right, shows }) {
  if (right && shows) return gettext("Right: this one shows %(phrase)s.");
  if (right) return gettext("Right: this one does not show %(phrase)s.");
  if (shows) return gettext("This one does show %(phrase)s.");
  return gettext("This one does not show %(phrase)s.");
}

/**
 * Say that there is no question: none of one kind, or of any where no kind was chosen. Only who
 * has answered since the page was opened is thanked.
 */
export function nothingToAsk(kind, { answered }) {
  const title = kind
    ? gettext("There is nothing to ask you of this kind right now")
    : gettext("There is nothing to ask you right now");
  const sentences = [
    answered && gettext("Thank you for your answers!"),
    kind === "text" && gettext("They need sentences that people are sure of."),
    kind && gettext("There may be others: choose Mixed or another kind at the end of this page."),
    gettext("New ones come as pictures are added and as the model finds new doubts."),
  ];
  return [title, sentences.filter(Boolean).join(" ")];
}

/** Say in which language to write; "" where it is the page's. */
export function writeIn(tag, pageLanguage) {
  const [wanted, own] = [tag, pageLanguage].map((each) => each.split("-")[0].toLowerCase());
  if (!wanted || wanted === own) return "";
  const names = new Intl.DisplayNames(pageLanguage, { type: "language" });
  return fill(gettext("Write in %(language)s."), { language: names.of(tag) });
}

/** Return the hint that is shown until the first answer of a kind; "" where there is none. */
export function firstHint(kind) {
  return HINTS[kind] ?? "";
}

/**
 * Say how much somebody has answered, and how often a label became certain with it: a label that
 * was asked again may do so more than once, so these are no labels that are certain now.
 */
export function progress({ answers, labels }) {
  const given = ngettext("%(count)s answer from you", "%(count)s answers from you", answers);
  const helped = ngettext(
    "helped %(count)s time to make a label certain",
    "helped %(count)s times to make a label certain",
    labels,
  );
  const parts = [fill(given, { count: formatNumber(answers) })];
  if (labels) parts.push(fill(helped, { count: formatNumber(labels) }));
  return parts.join(" · ");
}

/** Say for how long, and how, the last answer can be taken back. */
export function undoable(seconds) {
  return fill(gettext("For %(seconds)s seconds you can undo it: press Z."), { seconds });
}

/** Say why an answer was not taken back. */
export function notUndone({ code, message }) {
  if (code === "offline" || code === "broken") {
    return gettext("The server cannot be reached: it was not taken back.");
  }
  if (code === "too_late") return gettext("It counts already: it was not taken back.");
  return fill(gettext("It was not taken back. %(reason)s"), { reason: message });
}

/** Say why answers wait on this device. */
export function waiting(count, { code, retryAfter }) {
  if (code === "offline") {
    return fill(
      ngettext(
        "You are offline. %(count)s answer waits on this device and will be sent when you are back.",
        "You are offline. %(count)s answers wait on this device and will be sent when you are back.",
        count,
      ),
      { count },
    );
  }
  if (code === "throttled") {
    return fill(
      ngettext(
        "That was quick! %(count)s answer waits here and will be sent in %(seconds)s s.",
        "That was quick! %(count)s answers wait here and will be sent in %(seconds)s s.",
        count,
      ),
      { count, seconds: retryAfter },
    );
  }
  return fill(
    ngettext(
      "The server has trouble. %(count)s answer waits here and will be sent again in a moment.",
      "The server has trouble. %(count)s answers wait here and will be sent again in a moment.",
      count,
    ),
    { count },
  );
}

/** Say why an answer did not count. */
export function refused({ code, message }) {
  if (code === "answered") {
    return gettext("That question was answered before: the first answer stands.");
  }
  if (code === "expired") {
    return gettext("That question had expired before your answer: it was not counted.");
  }
  if (code === "foreign") {
    return gettext("That question was meant for someone else: it was not counted.");
  }
  return fill(gettext("Your last answer was not counted. %(reason)s"), { reason: message });
}

/** Say why there is no question to show: a title, and what to do. */
export function problem({ code, message, retryAfter }, count) {
  const known = {
    offline: () => [gettext("You are offline"), offline(count)],
    throttled: () => [gettext("A moment, please"), throttled(retryAfter)],
    broken: () => [gettext("The server has trouble"), broken(count)],
    reload: () => [
      gettext("This page is out of date"),
      gettext("You may have signed in or out elsewhere. Reload it to go on."),
    ],
    unkept: () => [gettext("This device has no room for more answers"), message],
    closed: () => [gettext("This project asks no questions now"), message],
    private: () => [gettext("This project is private"), message],
    newcomers: () => [gettext("Many people have begun here today"), message],
    not_found: () => [
      gettext("This project is not there"),
      gettext("It may have been renamed or closed. The first page lists all."),
    ],
  }[code];
  if (known) return known();
  const text = gettext("%(reason)s Try again, or go back to the first page.");
  return [gettext("That did not work"), fill(text, { reason: message })];
}

function offline(count) {
  if (!count) return gettext("The next question comes as soon as you are back.");
  return fill(
    ngettext(
      "%(count)s answer waits on this device and will be sent when you are back.",
      "%(count)s answers wait on this device and will be sent when you are back.",
      count,
    ),
    { count },
  );
}

function throttled(seconds) {
  return fill(
    ngettext(
      "Questions are asked for faster than they may be. The next one comes in %(count)s second.",
      "Questions are asked for faster than they may be. The next one comes in %(count)s seconds.",
      seconds,
    ),
    { count: seconds },
  );
}

function broken(count) {
  const kept = gettext("Try again in a moment. Nothing that you answered is lost.");
  if (!count) return kept;
  const queued = ngettext(
    "%(count)s answer waits here and will be sent again in a moment.",
    "%(count)s answers wait here and will be sent again in a moment.",
    count,
  );
  return `${kept} ${fill(queued, { count })}`;
}
