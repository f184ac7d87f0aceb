/**
 * The site's API, as the browser calls it. Knows no DOM; `fetch` is passed in.
 */

import { gettext } from "./translate.js";

const TIMEOUT = 20_000; // ms
const RETRY_AFTER = 5; // seconds, where the server does not say

/**
 * A request that failed. `code` is the server's, or one of "offline" (the server was not reached),
 * "broken" (it failed), "disk_full" (it has no room now) and "reload" (the page is out of date);
 * `message` is a sentence.
 */
export class ApiError extends Error {
  constructor(code, message, retryAfter = 0) {
    super(message);
    this.code = code;
    this.retryAfter = retryAfter; // seconds until it makes sense to try again
  }
}

export class Client {
  #csrf;
  #fetch;
  #timeout;

  /** `csrf` is the token, or a function that returns it as it is now. */
  constructor({ csrf, fetch = globalThis.fetch.bind(globalThis), timeout = TIMEOUT }) {
    this.#csrf = csrf;
    this.#fetch = fetch;
    this.#timeout = timeout;
  }

  /** Return the JSON at an address. */
  get(address) {
    return this.#request(address);
  }

  /** Post JSON, or a form with files, and return the JSON of the response; null for none (204). */
  post(address, body = {}) {
    const isForm = body instanceof FormData;
    const headers = { "X-CSRFToken": this.#csrf instanceof Function ? this.#csrf() : this.#csrf };
    if (!isForm) headers["Content-Type"] = "application/json";
    return this.#request(address, {
      method: "POST",
      headers,
      body: isForm ? body : JSON.stringify(body),
    });
  }

  async #request(address, options = {}) {
    let response;
    try {
      response = await this.#fetch(address, {
        credentials: "same-origin",
        signal: AbortSignal.timeout(this.#timeout),
        ...options,
      });
    } catch {
      throw new ApiError("offline", gettext("The server cannot be reached."));
    }
    if (response.status === 204) return null;
    const json = await response.json().catch(() => null);
    if (response.ok && json) return json;
    throw errorOf(response, json);
  }
}

/** Return the error of a response that says: too often, later. */
export function throttled(response, message) {
  return new ApiError("throttled", message, secondsToWait(response));
}

function secondsToWait(response) {
  return Number(response.headers.get("Retry-After")) || RETRY_AFTER;
}

function errorOf(response, json) {
  const retryAfter = secondsToWait(response);
  const detail = typeof json?.detail === "string" ? json.detail : "";
  if (response.status === 429) return throttled(response, detail);
  if (response.status === 507) return new ApiError("disk_full", detail, retryAfter);
  if (response.status >= 500) {
    return new ApiError("broken", gettext("The server could not do this."), retryAfter);
  }
  if (json?.code) return new ApiError(json.code, detail, Number(json.ready_in) || 0);
  return new ApiError("reload", gettext("This page is out of date."));
}
