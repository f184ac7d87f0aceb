/** The sentences of the studio. Knows no DOM. */

export function title({ kind, prompt, second_prompt: last }) {
  const first = prompt ? `“${prompt}”` : "Its own guess";
  if (kind === "inpainting") return prompt ? `${first}, completed` : "Completed";
  if (kind !== "interpolation" || last === prompt) return first;
  return `${first} to ${last ? `“${last}”` : "its own guess"}`;
}

export function waiting({ state, queue_position: position }) {
  if (state === "running") return "Drawing …";
  if (position === 0) return "Waiting for a worker …";
  return position === 1 ? "One drawing is before yours …" : `${position} drawings are before yours …`;
}

/** Say how a generation ended of which no pictures came. */
export function outcome({ state, error }) {
  return state === "cancelled" ? "Cancelled: nothing was drawn." : `It was not drawn. ${error}`;
}

/** Name the model and the settings that made a generation. */
export function settingsOf({ seed, second_seed: last, guidance }, model) {
  const seeds = last === null || last === seed ? `seed ${seed}` : `seeds ${seed} to ${last}`;
  const parts = [model ?? "a model that has gone", seeds];
  if (guidance !== null) parts.push(`guidance ${guidance}`);
  return parts.join(", ");
}

export function about({ training_images: count, project, current }) {
  const pictures = count ? `${count.toLocaleString("en")} pictures` : "few pictures";
  const standing = current ? "" : "It is not the current model of its recipe. ";
  return (
    `This model has learnt from ${pictures} of “${project}” and from nothing else. ${standing}` +
    "It largely recalls what it has seen, and broad words, like “food”, blur. " +
    "So beside each picture is the one that it is nearest to."
  );
}

export function newQuestions(count) {
  return count === 1 ? "One new question." : `${count} new questions.`;
}
