/** What others and the model say of a tile, as a word and as a sentence. Knows no DOM. */

import { fill, gettext } from "../../shared/translate.js";

/** Return "yes", "no", "divided", or "nothing" where it is not told, or nobody else was asked. */
export function ofOthers(others) {
  if (!others || others.yes + others.no === 0) return "nothing";
  if (others.yes === others.no) return "divided";
  return others.yes > others.no ? "yes" : "no";
}

/** Return "yes" or "no" for what the model says, or "nothing" for null: it is not told. */
export function ofModel(says) {
  if (says === null || says === undefined) return "nothing";
  return says ? "yes" : "no";
}

const OTHERS = {
  yes: gettext("Others: yes (%(yes)s to %(no)s)."),
  no: gettext("Others: no (%(no)s to %(yes)s)."),
  divided: gettext("Others are divided (%(yes)s to %(no)s)."),
  nothing: gettext("Others: not told yet."),
};

const MODEL = {
  yes: gettext("The model: yes."),
  no: gettext("The model: no."),
  nothing: gettext("The model: not told yet."),
};

/** Say what others and the model say. */
export function sentence({ others, model }) {
  const votes = fill(OTHERS[ofOthers(others)], others ?? {});
  return `${votes} ${MODEL[ofModel(model)]}`;
}
