/**
 * Answers on their way: kept in storage until the server has them, and sent in order.
 * What can be sent again stays; what the server refuses for good is removed. Knows no DOM.
 */

const KEY = "tessera.outbox";
const TRANSIENT = new Set(["offline", "broken", "throttled"]);

export class Outbox {
  #send;
  #storage;
  #onDone;
  #sending = null;
  #sent = { token: null, done: null }; // what is on its way, and the promise of its end

  /**
   * `send(entry)` resolves to the server's outcome or rejects with an ApiError;
   * `onDone({ entry, outcome, error })` is called for every entry that leaves.
   */
  constructor({ send, storage, onDone }) {
    this.#send = send;
    this.#storage = storage;
    this.#onDone = onDone;
  }

  get entries() {
    try {
      const entries = JSON.parse(this.#storage.getItem(KEY) ?? "[]");
      return Array.isArray(entries) ? entries : [];
    } catch {
      return [];
    }
  }

  /** The number of answers (not skips) that the server does not have yet. */
  get waiting() {
    return this.entries.filter((entry) => entry.action === "answer").length;
  }

  add({ token, action, body = {} }) {
    this.#store([...this.entries, { token, action, body, tried: false }]);
  }

  /** Resolve once an entry is not on its way. */
  async settle(token) {
    if (this.#sent.token === token) await this.#sent.done.catch(() => {});
  }

  /** Remove an entry again, unless it is on its way; return whether it was there. */
  take(token) {
    const isWaiting = this.entries.some((entry) => entry.token === token);
    const isThere = token !== this.#sent.token && isWaiting;
    if (isThere) this.#remove(token);
    return isThere;
  }

  /** Send all entries; resolve to null when none is left, or to the ApiError that stopped it. */
  flush() {
    this.#sending ??= this.#sendAll().finally(() => {
      this.#sending = null;
    });
    return this.#sending;
  }

  async #sendAll() {
    for (let entry = this.entries[0]; entry; entry = this.entries[0]) {
      this.#replace(entry.token, { ...entry, tried: true });
      this.#sent = { token: entry.token, done: this.#send(entry) };
      try {
        const outcome = await this.#sent.done;
        this.#remove(entry.token);
        this.#onDone({ entry, outcome });
      } catch (error) {
        if (TRANSIENT.has(error.code)) return error;
        this.#remove(entry.token);
        this.#onDone({ entry, error });
      } finally {
        this.#sent = { token: null, done: null };
      }
    }
    return null;
  }

  #replace(token, replacement) {
    this.#store(this.entries.map((entry) => (entry.token === token ? replacement : entry)));
  }

  #remove(token) {
    this.#store(this.entries.filter((entry) => entry.token !== token));
  }

  #store(entries) {
    this.#storage.setItem(KEY, JSON.stringify(entries));
  }
}

/** Return `localStorage` where it works, else a storage that lasts as long as the page. */
export function safeStorage(window) {
  try {
    window.localStorage.setItem("tessera.probe", "1");
    window.localStorage.removeItem("tessera.probe");
    return window.localStorage;
  } catch {
    return pageStorage();
  }
}

/** Return a storage that lasts as long as the page. */
export function pageStorage() {
  const items = new Map();
  return {
    getItem: (key) => items.get(key) ?? null,
    setItem: (key, value) => items.set(key, value),
  };
}
