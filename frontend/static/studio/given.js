/** The picture whose lower half shall be drawn: one of the project's, a drawn one, or one's own. */

const SENT = 512; // pixels: no model sees more of a picture

/** Offer the project's pictures, and those that have just been drawn, as radio buttons. */
export function offer(place, { model, examples, drawing }) {
  const offered = [];
  for (let number = 1; number <= examples; number++) {
    const url = `/api/v1/models/${model}/examples/${number}/`;
    offered.push(choice(`example ${number}`, url, `Picture ${number} of the project`));
  }
  for (const [at, { url }] of (drawing?.samples ?? []).slice(0, 4).entries()) {
    offered.push(choice(`drawing ${drawing.id} ${at + 1}`, url, `Drawn picture ${at + 1}`));
  }
  const chosen = place.querySelector("input:checked")?.value;
  place.replaceChildren(...offered);
  const inputs = [...place.querySelectorAll("input")];
  const again = inputs.find((input) => input.value === chosen) ?? inputs[0];
  if (again && !place.closest("fieldset").querySelector("[value=own]:checked")) again.checked = true;
}

/** What the wish says of it: `{ fields, picture }`, or null where none was chosen. */
export async function chosen(form) {
  const [kind, ...parts] = (form.elements.given.value || "").split(" ");
  if (kind === "example") return { fields: { example: Number(parts[0]) }, picture: null };
  if (kind === "drawing") {
    return { fields: { generation: parts[0], number: Number(parts[1]) }, picture: null };
  }
  const file = form.elements.picture.files[0];
  return file ? { fields: {}, picture: await reduced(file) } : null;
}

function choice(value, url, name) {
  const label = document.createElement("label");
  const input = document.createElement("input");
  Object.assign(input, { type: "radio", name: "given", value });
  input.setAttribute("aria-label", name);
  const image = document.createElement("img");
  Object.assign(image, { src: url, alt: "", loading: "lazy" });
  label.append(input, image);
  return label;
}

/** A photograph of a telephone is no larger than it must be when it is sent. */
async function reduced(file) {
  try {
    const bitmap = await createImageBitmap(file);
    const scale = SENT / Math.max(bitmap.width, bitmap.height);
    if (scale >= 1) return file;
    const canvas = document.createElement("canvas");
    canvas.width = Math.max(1, Math.round(bitmap.width * scale));
    canvas.height = Math.max(1, Math.round(bitmap.height * scale));
    canvas.getContext("2d").drawImage(bitmap, 0, 0, canvas.width, canvas.height);
    return await new Promise((resume) => canvas.toBlob((blob) => resume(blob ?? file), "image/png"));
  } catch {
    return file; // the server says what is wrong with it
  }
}
