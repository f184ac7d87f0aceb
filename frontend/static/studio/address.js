/** Settings to and from the page's address. Knows no DOM. */

const KINDS = ["samples", "interpolation", "inpainting", "translation"];
const INTEGERS = { model: Infinity, count: 16, seed: 2 ** 31 - 1, second_seed: 2 ** 31 - 1 };
const PROMPT_LIMIT = 500;

/** Return the settings that a query names, without those that are out of range. */
export function read(search) {
  const query = new URLSearchParams(search);
  const settings = {};
  if (KINDS.includes(query.get("kind"))) settings.kind = query.get("kind");
  for (const name of ["prompt", "second_prompt"]) {
    if (query.has(name)) settings[name] = query.get(name).slice(0, PROMPT_LIMIT);
  }
  for (const [name, max] of Object.entries(INTEGERS)) {
    const text = query.get(name) ?? "";
    if (/^\d{1,15}$/.test(text) && Number(text) <= max) settings[name] = Number(text);
  }
  const guidance = Number(query.get("guidance") || NaN);
  if (guidance >= 0 && guidance <= 20) settings.guidance = guidance;
  return settings;
}

/** Write settings as a query, "?prompt=a+frog&seed=3", without those that are not set. */
export function write(settings) {
  const query = new URLSearchParams();
  for (const name of ["model", "kind", "prompt", "second_prompt", "count", "seed", "second_seed", "guidance"]) {
    const value = settings[name];
    if (value === null || value === undefined || value === "") continue;
    if (name === "kind" && value === "samples") continue;
    query.set(name, value);
  }
  return `?${query}`;
}

/** Return the id of the generation that a fragment names, or null. */
export function generationId(hash) {
  return /^#[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(hash) ? hash.slice(1) : null;
}
