/** The sentences about a sitting. Knows no DOM. */

import { fill, formatNumber, gettext, ngettext } from "../../shared/translate.js";

/** Name a goal that may be chosen. */
export function goalName(kind, amount) {
  const sentence =
    kind === "pictures"
      ? ngettext("%(amount)s picture", "%(amount)s pictures", amount)
      : ngettext("%(amount)s minute", "%(amount)s minutes", amount);
  return fill(sentence, { amount: formatNumber(amount) });
}

/** Say how far a goal is. */
export function goalProgress(kind, { done, of }) {
  const sentence =
    kind === "pictures"
      ? ngettext("%(done)s of %(of)s picture", "%(done)s of %(of)s pictures", of)
      : ngettext("%(done)s of %(of)s minute", "%(done)s of %(of)s minutes", of);
  return fill(sentence, { done: formatNumber(done), of: formatNumber(of) });
}

/** Say how much was answered, and in what time. */
export function answered(answers, seconds) {
  const pictures = fill(
    ngettext("You answered about %(count)s picture", "You answered about %(count)s pictures", answers),
    { count: formatNumber(answers) },
  );
  const minutes = Math.round(seconds / 60);
  if (minutes < 1) return fill(gettext("%(pictures)s in less than a minute."), { pictures });
  const time = fill(ngettext("%(count)s minute", "%(count)s minutes", minutes), {
    count: formatNumber(minutes),
  });
  return fill(gettext("%(pictures)s in %(time)s."), { pictures, time });
}

/** Say how often a label became certain with the answers. */
export function labels(count) {
  const sentence = ngettext(
    "You helped %(count)s time to make a label certain.",
    "You helped %(count)s times to make a label certain.",
    count,
  );
  return fill(sentence, { count: formatNumber(count) });
}

/** Say how far a concept is, as in "37 of 40 certain labels". */
export function milestone({ labels, goal }) {
  const sentence = ngettext(
    "%(labels)s of %(goal)s certain label",
    "%(labels)s of %(goal)s certain labels",
    goal,
  );
  return fill(sentence, { labels: formatNumber(labels), goal: formatNumber(goal) });
}

/** Say how often a concept was answered about. */
export function answersAbout(answers) {
  return fill(ngettext("%(count)s answer", "%(count)s answers", answers), {
    count: formatNumber(answers),
  });
}

export const texts = () => ({
  region: gettext("This sitting"),
  offer: gettext("A small goal?"),
  reached: gettext("You have reached your goal."),
  more: gettext("As much again"),
  noGoal: gettext("No goal"),
  enough: gettext("Enough for today"),
  title: gettext("Thank you!"),
  nothing: gettext("You have not answered anything yet."),
  concepts: gettext("What it was about"),
  drawn: gettext("The model drew this after your answers"),
  before: gettext("Drawn before"),
  after: gettext("Drawn after your answers"),
  later: gettext("What became of most of them is told a day later:"),
  answers: gettext("Your answers"),
  offline: gettext("The rest is told once the server can be reached."),
  goOn: gettext("Go on"),
  leave: gettext("To the first page"),
});
