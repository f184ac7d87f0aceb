/** The samples on the page, each at a whole multiple of its pixels, beside its nearest image. */

import { fill, gettext } from "../shared/translate.js";
import { title } from "./messages.js";

const SCALES = [1, 2, 3, 4, 6, 8];
const TARGET_SIZE = 192; // CSS pixels of a sample, about
const MIN_STRIP_SIZE = 56; // CSS pixels of a sample in a strip: else it takes more rows
const MAX_CRISP = 64; // pixels: up to here edges are kept crisp

export class Gallery {
  #list;
  #template;

  constructor(list, template) {
    this.#list = list;
    this.#template = template;
    addEventListener("resize", () => this.#fitAll());
  }

  /** Show a generation that succeeded. */
  show(generation) {
    const { kind, samples, source_image_url: source } = generation;
    const name = title(generation);
    this.#list.classList.toggle("strip", kind === "interpolation");
    const items = samples.map((each, index) => this.#item(each, numbered(name, index + 1)));
    if (source) items.unshift(this.#source(source, kind === "translation"));
    this.#list.replaceChildren(...items);
    this.#fitAll();
  }

  #item({ url, nearest_url: nearest, seed }, name) {
    const item = this.#template.content.cloneNode(true);
    const [image, nearestImage] = item.querySelectorAll("img");
    this.#load(image, url, name);
    if (seed !== null) image.title = fill(gettext("seed %(seed)s"), { seed });
    if (nearest) {
      this.#load(nearestImage, nearest, fill(gettext("The nearest training picture to %(name)s"), { name }));
    } else {
      item.querySelector("figure").remove();
    }
    return item;
  }

  #source(url, isWhole) {
    const item = this.#template.content.cloneNode(true);
    const [image] = item.querySelectorAll("img");
    image.classList.add("source");
    image.classList.toggle("whole", isWhole);
    const name = isWhole
      ? gettext("The picture that was given")
      : gettext("The picture whose upper half was given");
    this.#load(image, url, name);
    item.querySelector("figure").replaceChildren(gettext("the given picture"));
    return item;
  }

  #load(image, url, name) {
    image.addEventListener("load", () => this.#fitAll());
    image.alt = name;
    image.src = url;
  }

  #fitAll() {
    const samples = [...this.#list.querySelectorAll(".sample-image:not(.source)")];
    const size = Math.max(...samples.map((image) => image.naturalWidth), 0);
    if (!size) return;
    const strip = this.#list.classList.contains("strip");
    const columns = strip ? columnsOf(this.#list.parentElement.clientWidth, samples.length, size) : 0;
    const room = strip
      ? this.#list.parentElement.clientWidth / columns
      : Math.min(TARGET_SIZE, samples[0].parentElement.clientWidth);
    const scale = SCALES.findLast((scale) => scale * size <= room) ?? 1;
    this.#list.style.maxInlineSize = strip ? `${columns * scale * size}px` : "";
    for (const image of this.#list.querySelectorAll(".sample-image")) {
      image.width = image.height = scale * size;
      image.classList.toggle("crisp", size <= MAX_CRISP && image.naturalWidth <= MAX_CRISP);
    }
    for (const image of this.#list.querySelectorAll("figure img")) {
      image.classList.toggle("crisp", image.naturalWidth > 0 && image.naturalWidth <= MAX_CRISP);
    }
  }
}

function numbered(name, number) {
  return fill(gettext("%(name)s, picture %(number)s"), { name, number });
}

/** Return how many samples a row of a strip has: in as few rows as leave each large enough. */
function columnsOf(width, count, size) {
  for (let rows = 1; rows < count; rows++) {
    const columns = Math.ceil(count / rows);
    if (width / columns >= Math.max(MIN_STRIP_SIZE, size)) return columns;
  }
  return 1;
}
