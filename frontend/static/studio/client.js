/** Drawings, as the browser sees them. Knows no DOM; `fetch` is passed in. */

const ADDRESS = "/api/v1/generations/";
const PATIENCE = 20_000; // ms

/** Why the server did not do what it was asked; `code` is its own, or "offline" or "broken". */
export class Refusal extends Error {
  constructor(code, detail) {
    super(detail);
    this.code = code;
  }
}

export class Client {
  #csrf;
  #fetch;

  constructor({ csrf, fetch = globalThis.fetch.bind(globalThis) }) {
    this.#csrf = csrf;
    this.#fetch = fetch;
  }

  /** The drawings of this session, the newest first. */
  past() {
    return this.#call(ADDRESS);
  }

  look(id) {
    return this.#call(`${ADDRESS}${encodeURIComponent(id)}/`);
  }

  /** A new drawing; with `picture` (a Blob), the picture to be completed goes along. */
  wish(wish, picture = null) {
    if (!picture) return this.#post(ADDRESS, JSON.stringify(wish), "application/json");
    const form = new FormData();
    for (const [name, value] of Object.entries(wish)) {
      if (value !== null && value !== undefined) form.append(name, value);
    }
    form.append("source_image", picture, "picture");
    return this.#post(ADDRESS, form);
  }

  cancel(id) {
    return this.#post(`${ADDRESS}${encodeURIComponent(id)}/cancel/`);
  }

  ask(id) {
    return this.#post(`${ADDRESS}${encodeURIComponent(id)}/ask/`);
  }

  #post(address, body = "{}", type = body === "{}" ? "application/json" : null) {
    const headers = { "X-CSRFToken": this.#csrf };
    if (type) headers["Content-Type"] = type;
    return this.#call(address, { method: "POST", headers, body });
  }

  async #call(address, options = {}) {
    let response;
    try {
      response = await this.#fetch(address, {
        credentials: "same-origin",
        signal: AbortSignal.timeout(PATIENCE),
        ...options,
      });
    } catch {
      throw new Refusal("offline", "The server cannot be reached.");
    }
    const said = await response.json().catch(() => null);
    if (response.ok && said) return said;
    const detail = typeof said?.detail === "string" ? said.detail : "";
    throw new Refusal(said?.code ?? "broken", detail || "The server could not do this.");
  }
}
