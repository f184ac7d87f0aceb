/** Settings and the page's address: one can be made from the other. Knows no DOM. */

const KINDS = ["samples", "interpolation", "inpainting"];
const WHOLE = { model: Infinity, count: 16, seed: 2 ** 31 - 1, second_seed: 2 ** 31 - 1 };
const PROMPT_LIMIT = 500;

/** The settings that a query names and that can be meant. */
export function read(search) {
  const given = new URLSearchParams(search);
  const settings = {};
  if (KINDS.includes(given.get("kind"))) settings.kind = given.get("kind");
  for (const name of ["prompt", "second_prompt"]) {
    if (given.has(name)) settings[name] = given.get(name).slice(0, PROMPT_LIMIT);
  }
  for (const [name, most] of Object.entries(WHOLE)) {
    const text = given.get(name) ?? "";
    if (/^\d{1,15}$/.test(text) && Number(text) <= most) settings[name] = Number(text);
  }
  const guidance = Number(given.get("guidance") || NaN);
  if (guidance >= 0 && guidance <= 20) settings.guidance = guidance;
  return settings;
}

/** "?prompt=a+frog&seed=3", without what is not said. */
export function write(settings) {
  const said = new URLSearchParams();
  for (const name of ["model", "kind", "prompt", "second_prompt", "count", "seed", "second_seed", "guidance"]) {
    const value = settings[name];
    if (value === null || value === undefined || value === "") continue;
    if (name === "kind" && value === "samples") continue;
    said.set(name, value);
  }
  return `?${said}`;
}

/** The drawing that a fragment names, or null. */
export function drawingOf(hash) {
  return /^#[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(hash) ? hash.slice(1) : null;
}
