/** The sentences of the challenge screen. Knows no DOM. */

export const GENERATED = "That picture was drawn by a model.";

const NEW_ONES = "New ones come as pictures are added and as the model finds new doubts.";

export const STILL_NOTHING = "Still nothing new: please come back later.";

export const EXPIRED = [
  "This question has been open too long",
  "Its pictures have expired. What you answered before is kept.",
];

const HINTS = {
  grid: "Select every picture that shows it. If none does, say so: that is an answer too.",
  split: "Select every part of the picture that shows some of it. If none does, say so.",
  verify: "If you cannot tell, skip: a guess helps nobody.",
  write: "One plain sentence, as you would say it to someone who cannot see the picture.",
};

export const PRACTICE = "Nothing that you answer in practice is recorded. Skip leaves it out.";

/** Say whether an answer in practice was right. */
export function feedback({ right, shows, phrase }) {
  if (right) return shows ? `Right: this one shows ${phrase}.` : `Right: this one does not show ${phrase}.`;
  return shows ? `This one does show ${phrase}.` : `This one does not show ${phrase}.`;
}

/**
 * Say that there is no question: none of one kind, or of any where no kind was chosen. Only who
 * has answered since the page was opened is thanked.
 */
export function nothingToAsk(kind, { answered }) {
  const thanks = answered ? "Thank you for your answers! " : "";
  if (kind) {
    return [
      "There is nothing to ask you of this kind right now",
      `${thanks}There may be others: choose Mixed or another kind at the end of this page. ${NEW_ONES}`,
    ];
  }
  return ["There is nothing to ask you right now", thanks + NEW_ONES];
}

/** Return the hint that is shown until the first answer. */
export function firstHint(kind) {
  return HINTS[kind];
}

export function progress({ answers, labels }) {
  return `${count(answers, "answer")} from you · ${count(labels, "label")} certain`;
}

/** Say why answers wait on this device. */
export function waiting(number, { code, retryAfter }) {
  const answers = number === 1 ? "1 answer waits" : `${number} answers wait`;
  if (code === "offline") {
    return `You are offline. ${answers} on this device and will be sent when you are back.`;
  }
  if (code === "throttled") {
    return `That was quick! ${answers} here and will be sent in ${count(retryAfter, "second")}.`;
  }
  return `The server has trouble. ${answers} here and will be sent again in a moment.`;
}

/** Say why an answer did not count. */
export function refused({ code, message }) {
  if (code === "answered") return "That question was answered before: the first answer stands.";
  if (code === "expired") return "That question had expired before your answer: it was not counted.";
  if (code === "foreign") return "That question was meant for someone else: it was not counted.";
  return `Your last answer was not counted. ${message}`;
}

/** Say why there is no question to show: a title, and what to do. */
export function problem({ code, message, retryAfter }, number) {
  const queued = number ? ` ${waiting(number, { code, retryAfter })}` : "";
  const known = {
    offline: [
      "You are offline",
      number ? queued.replace("You are offline.", "").trim() : "The next question comes as soon as you are back.",
    ],
    throttled: [
      "A moment, please",
      `Questions are asked for faster than they may be. The next one comes in ${count(retryAfter, "second")}.`,
    ],
    broken: ["The server has trouble", `Try again in a moment. Nothing that you answered is lost.${queued}`],
    reload: ["This page is out of date", "You may have signed in or out elsewhere. Reload it to go on."],
    closed: ["This project asks no questions now", message],
    private: ["This project is private", message],
    not_found: ["This project is not there", "It may have been renamed or closed. The first page lists all."],
  }[code];
  return known ?? ["That did not work", `${message} Try again, or go back to the first page.`];
}

function count(number, noun) {
  return `${number.toLocaleString()} ${noun}${number === 1 ? "" : "s"}`;
}
