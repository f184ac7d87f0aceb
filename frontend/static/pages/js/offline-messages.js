/** The sentences about working offline. Knows no DOM. */

import { fill, formatNumber, gettext, ngettext } from "../../shared/translate.js";

/** Say how many questions are kept, how large they are, and until when they are good. */
export function kept({ count, bytes, left }, limit) {
  if (!count) return gettext("No questions are kept on this device.");
  const isLarge = bytes >= 1e6;
  const size = new Intl.NumberFormat(undefined, {
    style: "unit",
    unit: isLarge ? "megabyte" : "kilobyte",
    maximumFractionDigits: isLarge ? 1 : 0,
  }).format(bytes / (isLarge ? 1e6 : 1e3));
  const until = new Date(Date.now() + left).toLocaleTimeString([], { timeStyle: "short" });
  const sentence = ngettext(
    "%(count)s of %(limit)s questions is kept on this device (%(size)s), to be answered until %(until)s.",
    "%(count)s of %(limit)s questions are kept on this device (%(size)s), to be answered until %(until)s.",
    count,
  );
  return fill(sentence, { count: formatNumber(count), limit: formatNumber(limit), size, until });
}

/** Say why no more questions are fetched; "" where that needs no word. */
export function stopped(code) {
  const sentences = {
    nothing: gettext("There are no more questions for you to fetch."),
    enough: gettext(
      "More can be fetched when those that you keep on another device are answered or have expired.",
    ),
    full: gettext("There is no more room on this device."),
    throttled: gettext("More are fetched in a minute."),
    offline: gettext("More are fetched when the server can be reached."),
    broken: gettext("The server has trouble: more are fetched later."),
  };
  return sentences[code] ?? "";
}

export const NOT_POSSIBLE = gettext(
  "This browser keeps nothing for this page, as in a private window: you cannot work offline in it.",
);

export const NO_RELOAD = gettext("Leave this page open: without the server it cannot be opened again.");

export const READY = gettext("You can go offline now: what you answer is sent when you are back.");

export function waiting(count) {
  const sentence = ngettext(
    "%(count)s answer waits on this device.",
    "%(count)s answers wait on this device.",
    count,
  );
  return fill(sentence, { count: formatNumber(count) });
}

export function unkept(count) {
  const sentence = ngettext(
    "%(count)s of them is lost if you close this page, as there is no room to keep it.",
    "%(count)s of them are lost if you close this page, as there is no room to keep them.",
    count,
  );
  return fill(sentence, { count: formatNumber(count) });
}

export function held(count) {
  const sentence = ngettext(
    "%(count)s answer was given by somebody else: it is sent when they sign in here.",
    "%(count)s answers were given by somebody else: they are sent when they sign in here.",
    count,
  );
  return fill(sentence, { count: formatNumber(count) });
}

export function sent(count) {
  const sentence = ngettext("%(count)s answer was sent.", "%(count)s answers were sent.", count);
  return fill(sentence, { count: formatNumber(count) });
}

/** Say how many answers did not count, and why: { expired: 2 }. */
export function refused(codes) {
  return Object.entries(codes).map(([code, count]) => refusedFor(code, count));
}

function refusedFor(code, count) {
  const values = { count: formatNumber(count) };
  if (code === "expired") {
    const sentence = ngettext(
      "%(count)s was not counted: its question had expired or was removed.",
      "%(count)s were not counted: their questions had expired or were removed.",
      count,
    );
    return fill(sentence, values);
  }
  if (code === "answered") {
    const sentence = ngettext(
      "%(count)s was not counted: the question was answered before.",
      "%(count)s were not counted: the questions were answered before.",
      count,
    );
    return fill(sentence, values);
  }
  const sentence = ngettext(
    "%(count)s was not taken by the server.",
    "%(count)s were not taken by the server.",
    count,
  );
  return fill(sentence, values);
}

/** Say that no more is asked while answers cannot be kept. */
export const NO_ROOM = gettext(
  "Your last answers cannot be kept on this device. Leave this page open until they are sent.",
);
