/** The image that is drawn on: one of the project's, a sample, one given before, or an upload. */

import { fill, gettext } from "../shared/translate.js";

const MAX_SIDE = 512; // pixels: no model sees more of a picture
const MAX_SAMPLES = 4; // of the last generation

/** Offer the project's images and the last samples as radio buttons; keep what was chosen. */
export function offerSources(container, { model, examples, generation }) {
  const options = [];
  for (let number = 1; number <= examples; number++) {
    const url = `/api/v1/models/${model}/examples/${number}/`;
    options.push(makeOption(`example ${number}`, url, fill(gettext("Picture %(number)s of the project"), { number })));
  }
  const samples = (generation?.samples ?? []).slice(0, MAX_SAMPLES);
  for (const [index, { url }] of samples.entries()) {
    const value = `sample ${generation.id} ${index + 1}`;
    options.push(makeOption(value, url, fill(gettext("Drawn picture %(number)s"), { number: index + 1 })));
  }
  if (generation?.source_image_url) {
    const url = generation.source_image_url;
    options.unshift(makeOption(`given ${url}`, url, gettext("The picture that was given")));
  }
  const previous = container.querySelector("input:checked")?.value;
  container.replaceChildren(...options);
  if (container.closest("fieldset").querySelector("[value=upload]:checked")) return;
  const inputs = [...container.querySelectorAll("input")];
  const input = inputs.find(({ value }) => value === previous) ?? inputs[0];
  if (input) input.checked = true;
}

/** Return the request's fields that name the chosen image, and the upload; null for no choice. */
export async function chosenSource(form) {
  const [kind, ...parts] = (form.elements.source.value || "").split(" ");
  if (kind === "example") return { fields: { example: Number(parts[0]) }, upload: null };
  if (kind === "sample") {
    return { fields: { generation: parts[0], number: Number(parts[1]) }, upload: null };
  }
  if (kind === "given") {
    const upload = await fetched(parts[0]);
    return upload && { fields: {}, upload };
  }
  const file = form.elements.upload.files[0];
  return file ? { fields: {}, upload: await shrink(file) } : null;
}

/** Choose the file that was uploaded last, and show it. */
export function showUpload(form, preview) {
  const file = form.elements.upload.files[0];
  URL.revokeObjectURL(preview.src);
  preview.hidden = !file;
  if (file) preview.src = URL.createObjectURL(file);
  else preview.removeAttribute("src");
  form.querySelector("[value=upload]").checked = true;
}

/** Take a picture that is dropped on the page or pasted, while the form asks for one. */
export function acceptDrops(form, zone) {
  const isWanted = () => zone.closest("fieldset").hidden === false;
  const take = (event, { files }) => {
    if (!isWanted() || ![...files].some(({ type }) => type.startsWith("image/"))) return;
    event.preventDefault();
    form.elements.upload.files = files;
    form.elements.upload.dispatchEvent(new Event("change", { bubbles: true }));
  };
  addEventListener("dragover", (event) => {
    if (!isWanted() || !event.dataTransfer.types.includes("Files")) return;
    event.preventDefault();
    zone.classList.add("over");
  });
  addEventListener("dragleave", (event) => event.relatedTarget || zone.classList.remove("over"));
  addEventListener("drop", (event) => {
    zone.classList.remove("over");
    if (isWanted() && event.dataTransfer.types.includes("Files")) event.preventDefault();
    take(event, event.dataTransfer);
  });
  addEventListener("paste", (event) => take(event, event.clipboardData));
}

/** Return a picture of this site as a file to send again. */
async function fetched(url) {
  try {
    const response = await fetch(url);
    return response.ok ? await response.blob() : null;
  } catch {
    return null;
  }
}

function makeOption(value, url, name) {
  const label = document.createElement("label");
  const input = document.createElement("input");
  Object.assign(input, { type: "radio", name: "source", value });
  input.setAttribute("aria-label", name);
  const image = document.createElement("img");
  Object.assign(image, { src: url, alt: "", loading: "lazy" });
  label.append(input, image);
  return label;
}

/** Scale a photograph down before it is sent. */
async function shrink(file) {
  try {
    const bitmap = await createImageBitmap(file);
    const scale = MAX_SIDE / Math.max(bitmap.width, bitmap.height);
    if (scale >= 1) return file;
    const canvas = document.createElement("canvas");
    canvas.width = Math.max(1, Math.round(bitmap.width * scale));
    canvas.height = Math.max(1, Math.round(bitmap.height * scale));
    canvas.getContext("2d").drawImage(bitmap, 0, 0, canvas.width, canvas.height);
    return await new Promise((resolve) =>
      canvas.toBlob((blob) => resolve(blob ?? file), "image/png"),
    );
  } catch {
    return file; // the server says what is wrong with it
  }
}
