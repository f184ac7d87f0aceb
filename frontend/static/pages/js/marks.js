/** What others and the model say of a tile, as a word and as a sentence. Knows no DOM. */

import { fill, gettext } from "../../shared/translate.js";

/** Return "yes", "no", "divided", or "nothing" where nobody else was asked. */
export function ofOthers(others) {
  if (!others || others.yes + others.no === 0) return "nothing";
  if (others.yes === others.no) return "divided";
  return others.yes > others.no ? "yes" : "no";
}

/** Return "yes", "no", or "nothing" for a probability from 0 to 1, or null. */
export function ofModel(probability) {
  if (probability === null || probability === undefined) return "nothing";
  return probability >= 0.5 ? "yes" : "no";
}

const OTHERS = {
  yes: gettext("Others: yes (%(yes)s to %(no)s)."),
  no: gettext("Others: no (%(no)s to %(yes)s)."),
  divided: gettext("Others are divided (%(yes)s to %(no)s)."),
  nothing: gettext("Others: being asked."),
};

const MODEL = {
  yes: gettext("The model: yes."),
  no: gettext("The model: no."),
  nothing: gettext("The model has not seen it yet."),
};

/** Say what others and the model say. */
export function sentence({ others, model }) {
  const votes = fill(OTHERS[ofOthers(others)], others ?? {});
  return `${votes} ${MODEL[ofModel(model)]}`;
}
