/** The sentences of the studio. Knows no DOM. */

import { fill, formatNumber, gettext, ngettext } from "../shared/translate.js";

export function title({ kind, prompt, second_prompt: last }) {
  if (kind === "translation") {
    return prompt ? fill(gettext("Other half: “%(prompt)s”"), { prompt }) : gettext("Other half");
  }
  if (kind === "inpainting") {
    return prompt ? fill(gettext("“%(prompt)s”, completed"), { prompt }) : gettext("Completed");
  }
  if (kind !== "interpolation" || last === prompt) return named(prompt);
  return fill(gettext("%(first)s to %(last)s"), { first: named(prompt), last: named(last) });
}

function named(prompt) {
  return prompt ? fill(gettext("“%(prompt)s”"), { prompt }) : gettext("Its own guess");
}

export function waiting({ state, queue_position: position, waits_for: reason }) {
  if (state === "running") return gettext("Drawing …");
  if (reason) return reason;
  if (position === 0) return gettext("Waiting for a worker …");
  const sentence = ngettext(
    "%(count)s drawing is before yours …",
    "%(count)s drawings are before yours …",
    position,
  );
  return fill(sentence, { count: formatNumber(position) });
}

/** Say how a generation ended of which no pictures came. */
export function outcome({ state, error }) {
  if (state === "cancelled") return gettext("Cancelled: nothing was drawn.");
  return fill(gettext("It was not drawn. %(reason)s"), { reason: error });
}

/** Name the model and the settings that made a generation. */
export function settingsOf({ seed, second_seed: last, guidance }, model) {
  const same = last === null || last === seed;
  const seeds = same
    ? fill(gettext("seed %(seed)s"), { seed })
    : fill(gettext("seeds %(seed)s to %(last)s"), { seed, last });
  const parts = [model ?? gettext("a model that has gone"), seeds];
  if (guidance !== null) parts.push(fill(gettext("guidance %(guidance)s"), { guidance }));
  return parts.join(gettext(", "));
}

export function about({ kinds, training_images: count, project, current }) {
  const pairs = kinds.includes("translation");
  const sentences = [pairs ? learntFromPairs(project) : learntFrom(count, project)];
  if (!current) sentences.push(gettext("It is not the current model of its recipe."));
  sentences.push(
    pairs
      ? gettext(
          "It draws another half for any picture, but only of such as theirs does it know what " +
            "belongs to them.",
        )
      : gettext(
          "It largely recalls what it has seen, and broad words, like “food”, blur. " +
            "So beside each picture is the one that it is nearest to.",
        ),
  );
  return sentences.join(" ");
}

function learntFromPairs(project) {
  const sentence = gettext(
    "This model has learnt from the pairs of pictures of “%(project)s” and from nothing else.",
  );
  return fill(sentence, { project });
}

function learntFrom(count, project) {
  const sentence = count
    ? ngettext(
        "This model has learnt from %(count)s picture of “%(project)s” and from nothing else.",
        "This model has learnt from %(count)s pictures of “%(project)s” and from nothing else.",
        count,
      )
    : gettext("This model has learnt from few pictures of “%(project)s” and from nothing else.");
  return fill(sentence, { count: formatNumber(count ?? 0), project });
}

export function newQuestions(count) {
  const sentence = ngettext("%(count)s new question.", "%(count)s new questions.", count);
  return fill(sentence, { count: formatNumber(count) });
}
