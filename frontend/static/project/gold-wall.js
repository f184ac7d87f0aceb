/** A wall of pictures, each with a form: arrows walk, a key presses the focused picture's button. */

const wall = document.querySelector("[data-wall]");
const status = document.querySelector("[data-status]");

/** Return the picture that a key leads to, in rows as they are laid out. */
function neighbour(pictures, at, key) {
  if (at < 0) return pictures[0];
  const columns = pictures.filter((each) => each.offsetTop === pictures[0].offsetTop).length;
  const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: columns, ArrowUp: -columns }[key];
  return step && pictures[at + step];
}

/** Send a picture's form with a button's value; show what became of it, in its place. */
async function send(picture, button) {
  if (picture.ariaBusy === "true" || picture.classList.contains("done")) return;
  picture.ariaBusy = "true";
  const form = button.form;
  try {
    const body = new FormData(form, button);
    body.set("quiet", "1");
    const response = await fetch(form.action, { method: "POST", body, redirect: "manual" });
    if (!response.ok) throw new Error(response.status === 409 ? await response.text() : "");
    picture.classList.add("done");
    form.replaceChildren(`${button.textContent.trim()}: done`);
    status.textContent = `${button.textContent.trim()}: done`;
  } catch (error) {
    status.textContent = error.message || "It was not saved: try again.";
  } finally {
    picture.ariaBusy = null;
  }
}

function move(key) {
  const pictures = [...wall.children];
  const at = pictures.indexOf(document.activeElement.closest("[data-tile]"));
  if (at < 0 && key !== "ArrowRight" && key !== "ArrowLeft") return false;
  const next = neighbour(pictures, at, key);
  next?.focus();
  return Boolean(next);
}

wall?.addEventListener("submit", (event) => {
  event.preventDefault();
  const picture = event.target.closest("[data-tile]");
  picture.focus();
  send(picture, event.submitter);
});

addEventListener("keydown", (event) => {
  if (!wall || event.repeat || event.ctrlKey || event.altKey || event.metaKey) return;
  if (event.target.closest("input:not([type=hidden]), select, textarea")) return;
  if (event.key.startsWith("Arrow")) {
    if (move(event.key)) event.preventDefault();
    return;
  }
  const picture = document.activeElement.closest("[data-tile]");
  const button = picture?.querySelector(`[data-choice="${CSS.escape(event.key.toLowerCase())}"]`);
  if (button) {
    event.preventDefault();
    send(picture, button);
    (picture.nextElementSibling ?? picture).focus();
  }
});
