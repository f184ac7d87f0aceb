/** The page that draws: a wish is sent, followed until it is done, and shown. */

const EVERY = 800; // ms between two looks at a drawing
const SCALES = [1, 2, 3, 4, 6, 8]; // small pictures are shown at whole multiples
const SHOWN = 192; // CSS pixels, about

const page = document.querySelector("[data-draw]");
const part = (name) => page.querySelector(`[data-${name}]`);
const form = part("form");
const csrf = document.querySelector('meta[name="csrf-token"]').content;
let followed = null; // the drawing that is on the screen, or on its way there
let shown = null;

async function call(address, options = {}) {
  let response;
  try {
    response = await fetch(address, {
      credentials: "same-origin",
      headers: { "Content-Type": "application/json", "X-CSRFToken": csrf },
      ...options,
    });
  } catch {
    throw new Error("The server cannot be reached. Please try again.");
  }
  const said = await response.json().catch(() => ({}));
  if (!response.ok) throw new Error(said.detail || "The server could not do this.");
  return said;
}

const post = (address, body = {}) => call(address, { method: "POST", body: JSON.stringify(body) });

async function draw(prompt) {
  if (!form.reportValidity()) return;
  const { count, seed, guidance } = form.elements;
  say("Sending …", true);
  part("drawn").scrollIntoView({ block: "nearest" });
  try {
    const drawing = await post("/api/v1/generations/", {
      model: Number(page.dataset.model),
      prompt,
      count: count.valueAsNumber,
      seed: seed.valueAsNumber,
      guidance: guidance.valueAsNumber,
    });
    history.replaceState(null, "", `#${drawing.id}`);
    follow(drawing);
  } catch (error) {
    say(error.message);
  }
}

async function follow(drawing) {
  followed = drawing.id;
  while (followed === drawing.id) {
    if (drawing.state === "done") return show(drawing);
    if (drawing.state === "failed") return say(`It was not drawn. ${drawing.error}`);
    say(waiting(drawing), true);
    await new Promise((resume) => setTimeout(resume, EVERY));
    try {
      drawing = await call(`/api/v1/generations/${drawing.id}/`);
    } catch (error) {
      return say(error.message);
    }
  }
}

function waiting({ state, ahead }) {
  if (state === "drawing") return "Drawing …";
  if (ahead === 0) return "Waiting for a worker …";
  return ahead === 1 ? "One drawing is before yours …" : `${ahead} drawings are before yours …`;
}

function say(words, busy = false) {
  part("status").textContent = words;
  part("progress").hidden = !busy;
  part("drawn").toggleAttribute("aria-busy", busy);
}

function show(drawing) {
  shown = drawing;
  say("");
  const title = drawing.prompt ? `“${drawing.prompt}”` : "Its own guess";
  part("title").textContent = title;
  part("pictures").replaceChildren(...drawing.pictures.map((one, at) => picture(one, at, title)));
  part("result").hidden = false;
  if (part("drawn").getBoundingClientRect().top > innerHeight / 2) part("drawn").scrollIntoView();
  const ask = part("ask");
  if (!ask) return;
  ask.hidden = !drawing.prompt;
  setAsked(ask, drawing.pictures.every((one) => one.asked));
}

function picture({ url, nearest_url: nearest, seed }, at, title) {
  const item = part("picture").content.cloneNode(true);
  const [drawn, seen] = item.querySelectorAll("img");
  drawn.addEventListener("load", () => fit(drawn));
  drawn.src = url;
  drawn.alt = `${title}, picture ${at + 1}`;
  drawn.title = `seed ${seed}`;
  if (nearest) {
    seen.src = nearest;
    seen.alt = `The nearest training picture to picture ${at + 1}`;
  } else {
    item.querySelector("figure").remove();
  }
  return item;
}

/** A whole multiple of the picture's own pixels, so that it stays crisp. */
function fit(image) {
  const room = Math.min(SHOWN, image.parentElement.clientWidth);
  const scale = SCALES.findLast((one) => one * image.naturalWidth <= room) ?? 1;
  image.width = scale * image.naturalWidth;
  image.classList.toggle("coarse", image.naturalWidth <= 32);
}

function setAsked(button, asked) {
  button.disabled = asked;
  button.textContent = asked ? "People are asked about these" : "Ask people about these";
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  const prompt = form.elements.prompt.value.trim();
  if (prompt) draw(prompt);
  else form.elements.prompt.focus();
});

part("guess").addEventListener("click", () => draw(""));

for (const suggestion of page.querySelectorAll("[data-suggestion]")) {
  suggestion.addEventListener("click", () => {
    form.elements.prompt.value = suggestion.textContent;
    draw(suggestion.textContent);
  });
}

part("others").addEventListener("click", () => {
  form.elements.seed.value = (shown.seed + shown.count) % 2 ** 31;
  draw(shown.prompt);
});

part("ask")?.addEventListener("click", async () => {
  const button = part("ask");
  button.disabled = true;
  try {
    const { questions } = await post(`/api/v1/generations/${shown.id}/ask/`);
    setAsked(button, true);
    say(questions === 1 ? "One new question." : `${questions} new questions.`);
  } catch (error) {
    button.disabled = false;
    say(error.message);
  }
});

if (/^#[0-9a-f-]{36}$/.test(location.hash)) {
  const id = location.hash.slice(1);
  call(`/api/v1/generations/${id}/`)
    .then((drawing) => {
      form.elements.prompt.value = drawing.prompt;
      return follow(drawing);
    })
    .catch((error) => say(error.message));
}
