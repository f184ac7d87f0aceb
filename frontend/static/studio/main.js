/** The page that draws: a wish is sent, followed until it ends, and shown. */

import { drawingOf, read, write } from "./address.js";
import { Client, Refusal } from "./client.js";
import { Gallery } from "./gallery.js";
import { chosen, offer } from "./given.js";
import { Past } from "./past.js";
import { about, asked, ended, made, title, waiting } from "./words.js";

const EVERY = { queued: 800, running: 400 }; // ms between two looks at a drawing
const OFFLINE = 3000; // ms
const STRIP = 8; // pictures, where nobody has said how many
const PICTURES = 4;

const page = document.querySelector("[data-studio]");
const part = (name) => page.querySelector(`[data-${name}]`);
const form = part("form");
const fields = form.elements;
const models = JSON.parse(document.getElementById("models").textContent);
const client = new Client({ csrf: document.querySelector('meta[name="csrf-token"]').content });
const gallery = new Gallery(part("pictures"), part("picture"));
const past = new Past(part("past"), part("history"), open);
let followed = null; // the drawing that is on the screen, or on its way there
let shown = null;
let counted = false; // whether somebody has said how many pictures

const model = () => models.find((one) => one.id === Number(fields.model.value));
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
  if (models.some((one) => one.id === values.model)) fields.model.value = values.model;
  if (values.kind && !(values.kind === "inpainting" && !model().inpaints)) {
    fields.kind.value = values.kind;
  }
  for (const name of ["prompt", "second_prompt", "count", "seed", "second_seed", "guidance"]) {
    if (values[name] !== undefined) fields[name].value = values[name] ?? "";
  }
  counted = values.count !== undefined;
  setModel();
}

function setModel() {
  const { inpaints, suggestions } = model();
  part("about").textContent = about(model());
  part("inpaints").hidden = !inpaints;
  if (!inpaints && fields.kind.value === "inpainting") fields.kind.value = "samples";
  part("suggestions").hidden = !suggestions.length;
  part("suggestions").replaceChildren(...suggestions.map(suggestion));
  setKind();
}

function setKind() {
  const kind = fields.kind.value;
  for (const element of page.querySelectorAll("[data-for]")) {
    element.hidden = element.dataset.for !== kind;
  }
  const strip = kind === "interpolation";
  fields.count.min = strip ? 2 : 1;
  if (!counted) fields.count.value = strip ? STRIP : PICTURES;
  part("label").textContent = strip ? "At its one end" : "Prompt";
  if (kind === "inpainting") {
    const { id, examples } = model();
    offer(part("examples"), { model: id, examples, drawing: shown });
  }
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
  if (!valid()) return;
  const wish = settings();
  say("Sending …", { busy: true });
  part("drawn").scrollIntoView({ block: "nearest" });
  try {
    let given = { fields: {}, picture: null };
    if (wish.kind === "inpainting") given = await chosen(form);
    if (!given) return say("Choose a picture first.", { trouble: true });
    const drawing = await client.wish({ ...wish, ...given.fields }, given.picture);
    history.pushState(null, "", `${write(wish)}#${drawing.id}`);
    past.add(drawing);
    follow(drawing);
  } catch (error) {
    refused(error, "Nothing was sent: press Draw to try again.");
  }
}

/** Open what holds a wrong value, so that the browser can point at it. */
function valid() {
  if (!form.checkValidity()) part("options").open = true;
  return form.reportValidity();
}

async function follow(drawing) {
  followed = drawing.id;
  while (followed === drawing.id) {
    past.keep(drawing);
    if (drawing.state === "succeeded") return show(drawing);
    if (!(drawing.state in EVERY)) return say(ended(drawing), { trouble: true });
    say(waiting(drawing), { busy: true, drawing });
    drawing = await lookAgain(drawing);
  }
}

/** The drawing as it is a moment later; while the server is out of reach, as it was. */
async function lookAgain(drawing) {
  await pause(EVERY[drawing.state]);
  while (followed === drawing.id) {
    try {
      return await client.look(drawing.id);
    } catch (error) {
      if (!(error instanceof Refusal) || !["offline", "broken"].includes(error.code)) {
        return { ...drawing, state: "failed", error: error.message };
      }
      say("The server cannot be reached. Your drawing goes on; trying again …", { trouble: true });
      await pause(OFFLINE);
    }
  }
  return drawing;
}

const pause = (wait) => new Promise((resume) => setTimeout(resume, wait));

function refused(error, advice) {
  if (!(error instanceof Refusal)) throw error;
  say(error.code === "offline" ? `${error.message} ${advice}` : error.message, { trouble: true });
}

/** The status line, and with it progress and cancel; said once, not at every look. */
function say(words, { busy = false, trouble = false, drawing = null } = {}) {
  const status = part("status");
  if (status.textContent !== words) status.textContent = words;
  status.classList.toggle("note", trouble);
  const progress = part("progress");
  progress.hidden = !busy;
  if (drawing?.state === "running" && drawing.progress > 0) progress.value = drawing.progress;
  else progress.removeAttribute("value");
  part("cancel").hidden = !drawing?.may_cancel;
  part("drawn").toggleAttribute("aria-busy", busy);
}

function show(drawing) {
  shown = drawing;
  say("");
  part("title").textContent = title(drawing);
  part("made").textContent = made(drawing, models.find((one) => one.id === drawing.model)?.name);
  part("strip-note").hidden = drawing.kind !== "interpolation";
  part("result").hidden = false;
  gallery.show(drawing);
  if (part("drawn").getBoundingClientRect().top > innerHeight / 2) part("drawn").scrollIntoView();
  if (fields.kind.value === "inpainting") setKind();
  const ask = part("ask");
  if (!ask) return;
  ask.hidden = !drawing.prompt && !drawing.second_prompt;
  setAsked(ask, drawing.samples.some((one) => one.asked));
}

function setAsked(button, done) {
  button.disabled = done;
  button.textContent = done ? "People are asked about these" : "Ask people about these";
}

/** A drawing of the past, with the settings that it was made with. */
function open(drawing) {
  const address = `${write(drawing)}#${drawing.id}`;
  if (location.hash !== `#${drawing.id}`) history.pushState(null, "", address);
  fill(drawing);
  follow(drawing);
}

async function openAddress() {
  fill(read(location.search));
  const id = drawingOf(location.hash);
  if (!id) return;
  try {
    const drawing = await client.look(id);
    fill(drawing);
    follow(drawing);
  } catch (error) {
    refused(error, "Reload the page to try again.");
  }
}

function setModels() {
  for (const [current, name] of [[true, "Current"], [false, "Not current"]]) {
    const group = document.createElement("optgroup");
    group.label = name;
    for (const one of models.filter((each) => each.current === current)) {
      const words = `${one.name} · ${one.project}${current ? "" : " (not current)"}`;
      group.append(new Option(words, one.id));
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

form.addEventListener("change", ({ target }) => {
  if (target.name === "kind") setKind();
  if (target.name === "model") setModel();
  if (target.name === "count") counted = true;
  if (target.name === "picture") form.querySelector("[value=own]").checked = true;
});

part("guess").addEventListener("click", () => {
  fields.prompt.value = "";
  draw();
});

part("cancel").addEventListener("click", async () => {
  part("cancel").hidden = true;
  fields.prompt.focus();
  try {
    await client.cancel(followed);
  } catch (error) {
    if (error.code !== "conflict") refused(error, "It was not cancelled.");
  }
});

part("others").addEventListener("click", () => {
  const step = shown.kind === "interpolation" ? 1 : shown.count;
  fill({ ...shown, seed: (shown.seed + step) % 2 ** 31 });
  if (shown.kind === "interpolation" && shown.second_seed !== null) {
    fields.second_seed.value = (shown.second_seed + step) % 2 ** 31;
  }
  draw();
});

part("ask")?.addEventListener("click", async () => {
  const button = part("ask");
  button.disabled = true;
  try {
    const { questions } = await client.ask(shown.id);
    setAsked(button, true);
    say(asked(questions));
  } catch (error) {
    button.disabled = false;
    refused(error, "Nobody was asked.");
  }
});

addEventListener("popstate", openAddress);

setModels();
openAddress();
client.past().then((drawings) => past.fill(drawings), () => {});
