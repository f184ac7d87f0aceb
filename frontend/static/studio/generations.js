/** Generations over HTTP. Knows no DOM. */

const ADDRESS = "/api/v1/generations/";

export class Generations {
  #client;

  constructor(client) {
    this.#client = client;
  }

  /** List the last generations of this user or session, the newest first. */
  list() {
    return this.#client.get(ADDRESS);
  }

  get(id) {
    return this.#client.get(`${ADDRESS}${encodeURIComponent(id)}/`);
  }

  /** Request a generation; an upload (a Blob) is sent along as the image to draw on. */
  create(request, upload = null) {
    if (!upload) return this.#client.post(ADDRESS, request);
    const form = new FormData();
    for (const [name, value] of Object.entries(request)) {
      if (value !== null && value !== undefined) form.append(name, value);
    }
    form.append("source_image", upload, "picture");
    return this.#client.post(ADDRESS, form);
  }

  cancel(id) {
    return this.#client.post(`${ADDRESS}${encodeURIComponent(id)}/cancel/`);
  }

  /** Ask people about its samples; return how many questions are new. */
  async ask(id) {
    const { questions } = await this.#client.post(`${ADDRESS}${encodeURIComponent(id)}/ask/`);
    return questions;
  }
}
