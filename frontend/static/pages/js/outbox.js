/**
 * Answers on their way: kept in storage until the server has them, and sent in order.
 *
 * Each entry has a key of its own, so that two tabs never overwrite each other's. Only one tab sends
 * at a time, where browsers have locks; without, the server takes an answer once however often it
 * is sent. What can be sent again stays; what the server refuses for good leaves and is counted. Knows
 * no DOM.
 */

const PREFIX = "tessera.outbox.";
const TALLY = "tessera.outbox-tally";
const LOCK = "tessera.outbox";
const MAX_ATTEMPTS = 5; // to send what came too fast: answers of another tab may go before it

// What ends an entry; all else, a page that is out of date for instance, says nothing about it.
const FINAL = new Set(["answered", "closed", "expired", "forged", "invalid", "not_found", "private"]);

export class Outbox {
  #send;
  #storage;
  #onDone;
  #locks;
  #owner;
  #wait;
  #own = new Map(); // tokens added on this page that have not left, and their entries
  #sending = null;
  #sent = { token: null, done: null }; // what is on its way, and the promise of its end

  /**
   * `send(entry)` resolves to the server's outcome or rejects with an ApiError;
   * `onDone({ entry, outcome, error })` is called for every entry that leaves; without outcome and
   * error, another tab has sent it. `locks` is navigator.locks, or null; `owner` names who sends.
   */
  constructor({ send, storage, onDone, locks = null, owner = "", wait = sleep }) {
    this.#send = send;
    this.#storage = storage;
    this.#onDone = onDone;
    this.#locks = locks;
    this.#owner = owner;
    this.#wait = wait;
  }

  /** All entries, in the order in which they were added. */
  get entries() {
    return this.#keyed.map(([, entry]) => entry);
  }

  /** The number of answers (not skips) that the server does not have yet. */
  get waiting() {
    return this.entries.filter((entry) => entry.action === "answer").length;
  }

  /** The number of entries that are gone when the page is closed. */
  get unkept() {
    return this.#keyed.filter(([key]) => !this.#storage.lasts(key)).length;
  }

  /** The number of entries that wait for whoever gave them to sign in again. */
  get held() {
    return this.entries.filter((entry) => this.#isHeld(entry)).length;
  }

  /** What became of the answers since the outbox was last filled: { sent, refused: { code: n } }. */
  get tally() {
    const { sent = 0, refused = {} } = parse(this.#read(TALLY)) ?? {};
    return { sent, refused };
  }

  has(token) {
    return this.entries.some((entry) => entry.token === token);
  }

  /** Keep an answer or a skip. Of two to one challenge, the first stands. */
  add({ token, action, body = {} }) {
    const keyed = this.#keyed;
    if (keyed.some(([, entry]) => entry.token === token)) return;
    if (!keyed.length) this.#write(TALLY, { sent: 0, refused: {} });
    const last = keyed.length ? Number(keyed.at(-1)[0].split(".")[2]) : 0;
    const key = `${PREFIX}${String(last + 1).padStart(9, "0")}.${token}`;
    const entry = { token, action, body, tried: false };
    this.#own.set(token, entry);
    this.#write(key, entry);
  }

  /** Resolve once an entry is not on its way. */
  async settle(token) {
    if (this.#sent.token === token) await this.#sent.done.catch(() => {});
  }

  /** Remove an entry again, unless it is on its way; return whether it was there. */
  take(token) {
    const isThere = token !== this.#sent.token && this.has(token);
    if (isThere) this.#remove(token);
    return isThere;
  }

  /** Send all entries; resolve to null when none is left, or to the ApiError that stopped it. */
  flush() {
    this.#sending ??= this.#alone(() => this.#sendAll()).finally(() => {
      this.#sending = null;
    });
    return this.#sending;
  }

  #alone(work) {
    return this.#locks ? this.#locks.request(LOCK, work) : work();
  }

  async #sendAll() {
    let error = null;
    for (let next = this.#next(); next && !error; next = this.#next()) error = await this.#sendOne(next);
    this.#noteSentElsewhere();
    return error;
  }

  #next() {
    return this.#keyed.find(([, entry]) => !this.#isHeld(entry));
  }

  /** Send one entry; return the error that stops all others, or null. */
  async #sendOne([key, stored]) {
    this.#replace(key, { ...stored, tried: true });
    const entry = { ...stored, tried: stored.tried || !this.#locks }; // another tab may send it, too
    try {
      this.#leave(entry, { outcome: await this.#attempt(entry) });
    } catch (error) {
      if (error.code === "foreign") this.#replace(key, { ...stored, held: this.#owner });
      else if (error.code === "too_fast" || FINAL.has(error.code)) this.#leave(entry, { error });
      else return error;
    } finally {
      this.#sent = { token: null, done: null };
    }
    return null;
  }

  /** Send an entry; again after a moment where the server has no room for its time yet. */
  async #attempt(entry) {
    for (let attempt = 1; ; attempt += 1) {
      this.#sent = { token: entry.token, done: this.#send(entry) };
      try {
        return await this.#sent.done;
      } catch (error) {
        const isEarly = error.code === "too_fast" && error.retryAfter > 0;
        if (!isEarly || attempt === MAX_ATTEMPTS) throw error;
        await this.#wait(error.retryAfter * 1000);
      }
    }
  }

  #leave(entry, result) {
    this.#remove(entry.token);
    const isThere = !result.error || (result.error.code === "answered" && entry.tried);
    if (entry.action === "answer") this.#count(isThere ? null : result.error.code);
    this.#onDone({ entry, ...result });
  }

  #count(code) {
    const { sent, refused } = this.tally;
    if (code) refused[code] = (refused[code] ?? 0) + 1;
    this.#write(TALLY, { sent: sent + (code ? 0 : 1), refused });
  }

  /** Tell of what was added here and has left through another tab. */
  #noteSentElsewhere() {
    for (const [token, entry] of this.#own) {
      if (this.has(token)) continue;
      this.#own.delete(token);
      this.#onDone({ entry });
    }
  }

  #isHeld(entry) {
    return "held" in entry && entry.held === this.#owner;
  }

  /** Entries as [key, entry]. */
  get #keyed() {
    const keys = this.#storage.keys().filter((key) => key.startsWith(PREFIX));
    const entries = keys.map((key) => [key, parse(this.#read(key))]);
    return entries.filter(([, entry]) => isEntry(entry)).sort(([a], [b]) => (a < b ? -1 : 1));
  }

  /** Replace an entry, unless it has left meanwhile. */
  #replace(key, entry) {
    if (this.#read(key)) this.#write(key, entry);
  }

  #remove(token) {
    this.#own.delete(token);
    for (const [key, entry] of this.#keyed) if (entry.token === token) this.#storage.removeItem(key);
  }

  #read(key) {
    return this.#storage.getItem(key);
  }

  #write(key, value) {
    this.#storage.setItem(key, JSON.stringify(value));
  }
}

function isEntry(entry) {
  return typeof entry?.token === "string" && typeof entry.action === "string";
}

function parse(text) {
  try {
    return JSON.parse(text ?? "null");
  } catch {
    return null;
  }
}

function sleep(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
