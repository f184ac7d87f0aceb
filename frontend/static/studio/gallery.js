/** Drawn pictures on the page: each at a whole multiple of its pixels, its nearest beside it. */

import { title } from "./words.js";

const SCALES = [1, 2, 3, 4, 6, 8];
const SHOWN = 192; // CSS pixels of a picture, about
const LEAST = 56; // of a strip's picture: else it takes more rows
const COARSE = 64; // pixels: up to here edges are kept crisp

export class Gallery {
  #list;
  #template;

  constructor(list, template) {
    this.#list = list;
    this.#template = template;
    addEventListener("resize", () => this.#fitAll());
  }

  /** Show a drawing that is done. */
  show(drawing) {
    const name = title(drawing);
    this.#list.classList.toggle("strip", drawing.kind === "interpolation");
    const items = drawing.samples.map((one, at) => this.#item(one, `${name}, picture ${at + 1}`));
    if (drawing.source_image_url) items.unshift(this.#given(drawing.source_image_url));
    this.#list.replaceChildren(...items);
    this.#fitAll();
  }

  #item({ url, nearest_url: nearest, seed }, name) {
    const item = this.#template.content.cloneNode(true);
    const [drawn, seen] = item.querySelectorAll("img");
    this.#load(drawn, url, name);
    if (seed !== null) drawn.title = `seed ${seed}`;
    if (nearest) {
      this.#load(seen, nearest, `The nearest training picture to ${name}`);
    } else {
      item.querySelector("figure").remove();
    }
    return item;
  }

  #given(url) {
    const item = this.#template.content.cloneNode(true);
    const [given] = item.querySelectorAll("img");
    given.classList.add("given");
    this.#load(given, url, "The picture whose upper half was given");
    item.querySelector("figure").replaceChildren("the given picture");
    return item;
  }

  #load(image, url, name) {
    image.addEventListener("load", () => this.#fitAll());
    image.alt = name;
    image.src = url;
  }

  #fitAll() {
    const drawn = [...this.#list.querySelectorAll(".drawn-new:not(.given)")];
    const size = Math.max(...drawn.map((image) => image.naturalWidth), 0);
    if (!size) return;
    const strip = this.#list.classList.contains("strip");
    const columns = strip ? columnsOf(this.#list.parentElement.clientWidth, drawn.length, size) : 0;
    const room = strip
      ? this.#list.parentElement.clientWidth / columns
      : Math.min(SHOWN, drawn[0].parentElement.clientWidth);
    const scale = SCALES.findLast((one) => one * size <= room) ?? 1;
    this.#list.style.maxInlineSize = strip ? `${columns * scale * size}px` : "";
    for (const image of this.#list.querySelectorAll(".drawn-new")) {
      image.width = image.height = scale * size;
      image.classList.toggle("coarse", size <= COARSE && image.naturalWidth <= COARSE);
    }
    for (const image of this.#list.querySelectorAll("figure img")) {
      image.classList.toggle("coarse", image.naturalWidth > 0 && image.naturalWidth <= COARSE);
    }
  }
}

/** Pictures in a row of a strip: as few and as even rows as leave each picture large enough. */
function columnsOf(width, count, size) {
  for (let rows = 1; rows < count; rows++) {
    const columns = Math.ceil(count / rows);
    if (width / columns >= Math.max(LEAST, size)) return columns;
  }
  return 1;
}
