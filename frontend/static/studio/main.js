/** The studio: request a generation, follow it until it ends, and show its samples. */

import { ApiError, Client } from "../shared/client.js";
import { fill as fillIn, gettext } from "../shared/translate.js";
import { generationId, read, write } from "./address.js";
import { Drafts } from "./drafts.js";
import { Gallery } from "./gallery.js";
import { Generations } from "./generations.js";
import { GenerationHistory } from "./history.js";
import { about, newQuestions, outcome, settingsOf, title, waiting } from "./messages.js";
import { acceptDrops, chosenSource, offerSources, showUpload } from "./source-image.js";

const POLL = { queued: 800, running: 400 }; // ms between two looks at a generation, by its state
const RETRY = 3000; // ms, while the server is out of reach
const TRANSIENT = ["offline", "broken", "throttled"]; // errors after which it is asked again
const DEFAULT_COUNT = { samples: 4, interpolation: 8, inpainting: 4, translation: 4 };
const FROM_IMAGE = ["inpainting", "translation"]; // kinds that are drawn on a given picture

const page = document.querySelector("[data-studio]");
const part = (name) => page.querySelector(`[data-${name}]`);
const form = part("form");
const fields = form.elements;
const models = JSON.parse(document.getElementById("models").textContent);
const csrf = document.querySelector('meta[name="csrf-token"]').content;
const generations = new Generations(new Client({ csrf }));
const gallery = new Gallery(part("samples"), part("sample"));
const drafts = new Drafts(generations, showDraft);
const past = new GenerationHistory(part("history"), part("history-list"), open);
let followedId = null; // of the generation that is on the screen, or on its way there
let shown = null; // the generation whose samples are on the screen
let hasCount = false; // whether somebody chose the number of samples

const model = () => models.find(({ id }) => id === Number(fields.model.value));
const number = (field) => (field.value === "" ? null : field.valueAsNumber);

function settings() {
  const kind = fields.kind.value;
  const strip = kind === "interpolation";
  return {
    model: model().id,
    kind,
    prompt: fields.prompt.value.trim(),
    second_prompt: strip ? fields.second_prompt.value.trim() || null : null,
    count: number(fields.count),
    seed: number(fields.seed),
    second_seed: strip ? number(fields.second_seed) : null,
    guidance: number(fields.guidance),
  };
}

function fill(values) {
  if (models.some(({ id }) => id === values.model)) fields.model.value = values.model;
  if (model().kinds.includes(values.kind)) fields.kind.value = values.kind;
  for (const name of ["prompt", "second_prompt", "count", "seed", "second_seed", "guidance"]) {
    if (values[name] !== undefined) fields[name].value = values[name] ?? "";
  }
  hasCount = values.count !== undefined;
  setModel();
}

function setModel() {
  const { kinds, suggestions, drafts: makesDrafts } = model();
  part("about").textContent = about(model());
  part("drafts").hidden = !makesDrafts;
  part("kinds").hidden = kinds.length < 2;
  for (const label of page.querySelectorAll("[data-kind]")) {
    label.hidden = !kinds.includes(label.dataset.kind);
  }
  if (!kinds.includes(fields.kind.value)) fields.kind.value = kinds[0];
  part("suggestions").hidden = !suggestions.length;
  part("suggestions").replaceChildren(...suggestions.map(suggestion));
  setKind();
}

function setKind() {
  const kind = fields.kind.value;
  for (const element of page.querySelectorAll("[data-for]")) {
    element.hidden = !element.dataset.for.split(" ").includes(kind);
  }
  const strip = kind === "interpolation";
  fields.count.min = strip ? 2 : 1;
  if (!hasCount) fields.count.value = DEFAULT_COUNT[kind];
  part("label").textContent = promptLabel(kind);
  fields.prompt.placeholder = kind === "translation" ? "" : gettext("a red apple");
  if (FROM_IMAGE.includes(kind)) {
    const { id, examples } = model();
    part("source-label").textContent =
      kind === "translation"
        ? gettext("Which picture's other half?")
        : gettext("Which picture's lower half?");
    offerSources(part("examples"), { model: id, examples, generation: shown });
  }
}

function promptLabel(kind) {
  if (kind === "translation") return gettext("What it shows, if words may help");
  return kind === "interpolation" ? gettext("At its one end") : gettext("Prompt");
}

function suggestion(phrase) {
  const item = document.createElement("li");
  const button = document.createElement("button");
  Object.assign(button, { type: "button", className: "button", textContent: phrase });
  button.addEventListener("click", () => {
    const second = fields.kind.value === "interpolation" && fields.prompt.value.trim();
    fields[second ? "second_prompt" : "prompt"].value = phrase;
    if (fields.kind.value === "samples") draw();
  });
  item.append(button);
  return item;
}

async function draw() {
  drafts.stop();
  if (!validate()) return;
  const request = settings();
  setStatus(gettext("Sending …"), { busy: true });
  part("output").scrollIntoView({ block: "nearest" });
  try {
    let source = { fields: {}, upload: null };
    if (FROM_IMAGE.includes(request.kind)) source = await chosenSource(form);
    if (!source) return setStatus(gettext("Choose a picture first."), { problem: true });
    const generation = await generations.create({ ...request, ...source.fields }, source.upload);
    history.pushState(null, "", `${write(request)}#${generation.id}`);
    past.add(generation);
    follow(generation);
  } catch (error) {
    showError(error, gettext("Nothing was sent: press Draw to try again."));
  }
}

/** Check the form; open the options first, so that the browser can point at a wrong one. */
function validate() {
  if (!form.checkValidity()) part("options").open = true;
  return form.reportValidity();
}

/** Poll a generation until it ends, or until another one is followed. */
async function follow(generation) {
  followedId = generation.id;
  while (followedId === generation.id) {
    past.update(generation);
    if (generation.state === "succeeded") return show(generation);
    if (!(generation.state in POLL)) return setStatus(outcome(generation), { problem: true });
    setStatus(waiting(generation), { busy: true, generation });
    generation = await poll(generation);
  }
}

/** Return the generation as it is a moment later; while the server is out of reach, wait. */
async function poll(generation) {
  await pause(POLL[generation.state]);
  while (followedId === generation.id) {
    try {
      return await generations.get(generation.id);
    } catch (error) {
      if (!(error instanceof ApiError) || !TRANSIENT.includes(error.code)) {
        return { ...generation, state: "failed", error: error.message };
      }
      const message = gettext(
        "The server cannot be reached. Your drawing goes on; trying again …",
      );
      setStatus(message, { problem: true });
      await pause(RETRY);
    }
  }
  return generation;
}

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

function showError(error, advice) {
  if (!(error instanceof ApiError)) throw error;
  const message = error.code === "offline" ? `${error.message} ${advice}` : error.message;
  setStatus(message, { problem: true });
}

/** Set the status line, and with it the progress bar and the cancel button. */
function setStatus(text, { busy = false, problem = false, generation = null } = {}) {
  const status = part("status");
  if (status.textContent !== text) status.textContent = text; // screen readers read it once
  status.classList.toggle("note", problem);
  const progress = part("progress");
  progress.hidden = !busy;
  if (generation?.state === "running" && generation.progress > 0) progress.value = generation.progress;
  else progress.removeAttribute("value");
  part("cancel").hidden = !generation?.may_cancel;
  part("output").toggleAttribute("aria-busy", busy);
}

/** Have what is typed drawn at once, where the model can and somebody wants it. */
function askDraft() {
  drafts.stop();
  const request = settings();
  const isWanted = model().drafts && fields.drafts.checked && request.kind === "samples";
  if (isWanted && request.prompt && request.guidance === null && form.checkValidity()) {
    drafts.ask(request);
  }
}

/** Show a draft in the place of the last one, once its pictures are there: nothing flickers. */
async function showDraft(generation) {
  await Promise.allSettled(generation.samples.map(({ url }) => loaded(url)));
  if (!drafts.isLast(generation)) return;
  followedId = null; // of another one that may still be on its way
  present(generation);
  setStatus(gettext("A draft, while you type: press Draw for the finished pictures."));
  for (const name of ["ask", "others"]) part(name)?.toggleAttribute("hidden", true);
}

function loaded(url) {
  const image = new Image();
  image.src = url;
  return image.decode();
}

function show(generation) {
  shown = generation;
  present(generation);
  setStatus("");
  part("others").hidden = false;
  if (part("output").getBoundingClientRect().top > innerHeight / 2) part("output").scrollIntoView();
  if (FROM_IMAGE.includes(fields.kind.value)) setKind();
  const ask = part("ask");
  if (!ask) return;
  const hasPrompt = generation.prompt || generation.second_prompt;
  ask.hidden = !hasPrompt || generation.kind === "translation";
  setAsked(ask, generation.samples.some(({ asked }) => asked));
}

/** Put a generation's pictures on the screen. */
function present(generation) {
  const name = models.find(({ id }) => id === generation.model)?.name;
  part("title").textContent = title(generation);
  part("settings").textContent = settingsOf(generation, name);
  part("strip-note").hidden = generation.kind !== "interpolation";
  part("translation-note").hidden = generation.kind !== "translation";
  part("result").hidden = false;
  gallery.show(generation);
}

function setAsked(button, done) {
  button.disabled = done;
  button.textContent = done
    ? gettext("People are asked about these")
    : gettext("Ask people about these");
}

/** Open a generation of the history, with the settings that it was made with. */
function open(generation) {
  const address = `${write(generation)}#${generation.id}`;
  if (location.hash !== `#${generation.id}`) history.pushState(null, "", address);
  fill(generation);
  follow(generation);
}

async function openAddress() {
  fill(read(location.search));
  const id = generationId(location.hash) ?? (page.dataset.drawing || null);
  if (!id) return;
  try {
    const generation = await generations.get(id);
    fill(generation);
    follow(generation);
  } catch (error) {
    showError(error, gettext("Reload the page to try again."));
  }
}

function setModels() {
  fields.model.replaceChildren();
  for (const [current, heading] of [[true, gettext("Current")], [false, gettext("Not current")]]) {
    const group = document.createElement("optgroup");
    group.label = heading;
    for (const { id, name, project } of models.filter((each) => each.current === current)) {
      const label = fillIn(
        current ? "%(name)s · %(project)s" : gettext("%(name)s · %(project)s (not current)"),
        { name, project },
      );
      group.append(new Option(label, id));
    }
    if (group.children.length) fields.model.append(group);
  }
  fields.model.value = page.dataset.model;
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  if (fields.kind.value === "samples" && !fields.prompt.value.trim()) fields.prompt.focus();
  else draw();
});

form.addEventListener("input", ({ target }) => {
  if (["prompt", "count", "seed", "model", "drafts"].includes(target.name)) askDraft();
});

form.addEventListener("change", ({ target }) => {
  if (target.name === "kind") setKind();
  if (target.name === "model") setModel();
  if (target.name === "count") hasCount = true;
  if (target.name === "upload") showUpload(form, part("preview"));
});

part("guess").addEventListener("click", () => {
  fields.prompt.value = "";
  draw();
});

part("cancel").addEventListener("click", async () => {
  part("cancel").hidden = true;
  fields.prompt.focus();
  try {
    await generations.cancel(followedId);
  } catch (error) {
    if (error.code !== "conflict") showError(error, gettext("It was not cancelled."));
  }
});

part("others").addEventListener("click", () => {
  const step = shown.kind === "interpolation" ? 1 : shown.count;
  fill({ ...shown, seed: (shown.seed + step) % 2 ** 31 });
  if (shown.kind === "interpolation" && shown.second_seed !== null) {
    fields.second_seed.value = (shown.second_seed + step) % 2 ** 31;
  }
  const given = form.querySelector('[value^="given "]');
  if (FROM_IMAGE.includes(shown.kind) && given) given.checked = true;
  draw();
});

part("ask")?.addEventListener("click", async () => {
  const button = part("ask");
  button.disabled = true;
  try {
    const questions = await generations.ask(shown.id);
    setAsked(button, true);
    setStatus(newQuestions(questions));
  } catch (error) {
    button.disabled = false;
    showError(error, gettext("Nobody was asked."));
  }
});

addEventListener("popstate", openAddress);

acceptDrops(form, part("drop"));
part("drop-hint").hidden = false;
setModels();
openAddress();
generations.list().then((list) => past.fill(list), () => {}); // without it, no history is shown
