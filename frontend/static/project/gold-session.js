/** A session: one picture at a time, Y / N / U, Backspace goes back; marks are saved on the way. */

const RETRY = 3_000; // ms after a mark could not be saved
const CHOICES = { y: "yes", n: "no", u: "aside" };
const NAMES = { yes: "Yes", no: "No", aside: "Unsure" };

const list = document.querySelector("[data-session]");
const parts = Object.fromEntries(
  ["progress", "count", "problem", "back", "end", "summary", "marks"].map((name) => [
    name,
    document.querySelector(`[data-${name}]`),
  ]),
);
const pictures = list ? [...list.children] : [];
const marks = new Map(); // picture → choice
const waiting = new Map(); // picture → the choice that is still to be saved
let at = 0;
let saving = false;

/** Save what waits, one after the other; try again while the server cannot be reached. */
async function save() {
  if (saving) return;
  saving = true;
  while (waiting.size) {
    const [picture, choice] = waiting.entries().next().value;
    const outcome = await post(picture, choice);
    if (outcome === "saved" && waiting.get(picture) === choice) waiting.delete(picture);
    parts.problem.hidden = outcome === "saved";
    if (outcome === "refused") {
      parts.problem.textContent = "You are signed out, or may not do this any more. Reload the page.";
      break;
    }
    if (outcome === "offline") {
      parts.problem.textContent = "Not saved yet: the server cannot be reached. Trying again.";
      await new Promise((resolve) => setTimeout(resolve, RETRY));
    }
  }
  saving = false;
}

async function post(picture, choice) {
  const form = picture.querySelector("form");
  const body = new FormData(form);
  body.set("choice", choice);
  body.set("quiet", "1");
  try {
    const response = await fetch(form.action, { method: "POST", body, redirect: "manual" });
    if (response.ok) return "saved";
    return response.status >= 500 || response.status === 429 ? "offline" : "refused";
  } catch {
    return "offline";
  }
}

function mark(choice) {
  const picture = pictures[at];
  if (!picture) return;
  marks.set(picture, choice);
  waiting.delete(picture); // so that it is saved after what was marked before
  waiting.set(picture, choice);
  save();
  show(at + 1);
}

/** Show a picture, and load the one after it; or, after the last, what was marked. */
function show(index) {
  at = Math.max(0, index);
  const done = at >= pictures.length;
  pictures.forEach((picture, number) => {
    picture.hidden = number !== at;
    if (number <= at + 2) picture.querySelector("img").loading = "eager";
    for (const button of picture.querySelectorAll("button")) {
      button.setAttribute("aria-pressed", String(marks.get(picture) === button.value));
    }
  });
  parts.progress.querySelector("progress").value = marks.size;
  parts.count.textContent = done ? "" : `${at + 1} of ${pictures.length}`;
  parts.progress.hidden = done;
  parts.end.hidden = !done;
  parts.back.hidden = done;
  parts.back.querySelector("button").hidden = at === 0;
  if (done) showEnd();
}

function showEnd() {
  const count = (choice) => [...marks.values()].filter((each) => each === choice).length;
  parts.summary.textContent =
    `${count("yes")} yes and ${count("no")} no are gold now` +
    (count("aside") ? `; ${count("aside")} unsure are not.` : ".");
  parts.marks.replaceChildren(
    ...pictures.map((picture, number) => {
      const item = document.createElement("li");
      const button = document.createElement("button");
      const image = picture.querySelector("img").cloneNode();
      const name = NAMES[marks.get(picture)] ?? "Not marked";
      image.alt = "";
      button.type = "button";
      button.append(image, name);
      button.setAttribute("aria-label", `Picture ${number + 1}: ${name}. Change it`);
      button.addEventListener("click", () => show(number));
      item.append(button);
      return item;
    }),
  );
  document.querySelector("#end-title").focus();
}

if (list) {
  list.classList.add("one-at-a-time");
  parts.back.hidden = false;
  list.addEventListener("submit", (event) => {
    event.preventDefault();
    mark(event.submitter.value);
  });
  parts.back.querySelector("button").addEventListener("click", () => show(at - 1));
  addEventListener("keydown", (event) => {
    if (event.repeat || event.ctrlKey || event.altKey || event.metaKey) return;
    const key = event.key.toLowerCase();
    if (key === "backspace" && at > 0) {
      event.preventDefault();
      show(at - 1);
    } else if (CHOICES[key] && at < pictures.length) {
      event.preventDefault();
      mark(CHOICES[key]);
    }
  });
  addEventListener("beforeunload", (event) => waiting.size && event.preventDefault());
  show(0);
}
