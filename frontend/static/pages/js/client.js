/** The challenge API, as the browser sees it. Knows no DOM; `fetch` is passed in. */

/** Why the server did not do what it was asked; `code` is the server's, or one of
 * "offline" (not reached), "broken" (it failed) and "reload" (the page is out of date). */
export class Refusal extends Error {
  constructor(code, detail, wait = 0) {
    super(detail);
    this.code = code;
    this.wait = wait; // seconds until it makes sense to try again
  }
}

const PATIENCE = 20_000; // ms

export class Client {
  #csrf;
  #fetch;

  constructor({ csrf, fetch = globalThis.fetch.bind(globalThis) }) {
    this.#csrf = csrf;
    this.#fetch = fetch;
  }

  /** A new challenge, or null when nothing is left to ask. */
  issue({ project, kind = null }) {
    return this.#post("/api/v1/challenges/", { project, kind });
  }

  answer(token, body) {
    return this.#post(`/api/v1/challenges/${encodeURIComponent(token)}/answer/`, body);
  }

  skip(token) {
    return this.#post(`/api/v1/challenges/${encodeURIComponent(token)}/skip/`, {});
  }

  async #post(address, body) {
    let response;
    try {
      response = await this.#fetch(address, {
        method: "POST",
        credentials: "same-origin",
        headers: { "Content-Type": "application/json", "X-CSRFToken": this.#csrf },
        body: JSON.stringify(body),
        signal: AbortSignal.timeout(PATIENCE),
      });
    } catch {
      throw new Refusal("offline", "The server cannot be reached.");
    }
    if (response.status === 204) return null;
    const said = await response.json().catch(() => null);
    if (response.ok && said) return said;
    throw refusal(response, said);
  }
}

function refusal(response, said) {
  const wait = Number(response.headers.get("Retry-After")) || 5;
  const detail = typeof said?.detail === "string" ? said.detail : "";
  if (response.status === 429) return new Refusal("throttled", detail, wait);
  if (response.status >= 500) return new Refusal("broken", "The server could not do this.", wait);
  if (said?.code) return new Refusal(said.code, detail);
  return new Refusal("reload", "This page is out of date.");
}
