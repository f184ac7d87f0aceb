/** Answers on their way: kept in storage until the server has them, sent in order.
 * Knows no DOM. Whatever can be tried again stays; whatever the server refuses for good goes. */

const KEY = "tessera.outbox";
const TRY_AGAIN = new Set(["offline", "broken", "throttled"]);

export class Outbox {
  #send;
  #storage;
  #told;
  #sending = null;

  /** `send(entry)` resolves to the server's outcome or throws a Refusal;
   * `told({ entry, outcome, refusal })` hears of every entry that leaves. */
  constructor({ send, storage, told }) {
    this.#send = send;
    this.#storage = storage;
    this.#told = told;
  }

  get entries() {
    try {
      const kept = JSON.parse(this.#storage.getItem(KEY) ?? "[]");
      return Array.isArray(kept) ? kept : [];
    } catch {
      return [];
    }
  }

  /** Number of answers (not skips) that the server does not have yet. */
  get waiting() {
    return this.entries.filter((entry) => entry.action === "answer").length;
  }

  add({ token, action, body = {} }) {
    this.#keep([...this.entries, { token, action, body, tried: false }]);
  }

  /** Send what waits; resolves to null when all is gone, or to the Refusal that stopped it. */
  flush() {
    this.#sending ??= this.#sendAll().finally(() => {
      this.#sending = null;
    });
    return this.#sending;
  }

  async #sendAll() {
    for (let entry = this.entries[0]; entry; entry = this.entries[0]) {
      this.#change(entry.token, () => ({ ...entry, tried: true }));
      try {
        const outcome = await this.#send(entry);
        this.#change(entry.token, () => null);
        this.#told({ entry, outcome });
      } catch (refusal) {
        if (TRY_AGAIN.has(refusal.code)) return refusal;
        this.#change(entry.token, () => null);
        this.#told({ entry, refusal });
      }
    }
    return null;
  }

  #change(token, replace) {
    const entries = this.entries.map((entry) => (entry.token === token ? replace(entry) : entry));
    this.#keep(entries.filter((entry) => entry !== null));
  }

  #keep(entries) {
    this.#storage.setItem(KEY, JSON.stringify(entries));
  }
}

/** `localStorage` where it works; else a storage that lasts as long as the page. */
export function safeStorage(window) {
  try {
    window.localStorage.setItem("tessera.probe", "1");
    window.localStorage.removeItem("tessera.probe");
    return window.localStorage;
  } catch {
    const kept = new Map();
    return {
      getItem: (key) => kept.get(key) ?? null,
      setItem: (key, value) => kept.set(key, value),
    };
  }
}
