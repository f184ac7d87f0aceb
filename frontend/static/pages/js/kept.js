/**
 * Challenges that were fetched ahead, with their pictures, in the order in which they are asked.
 *
 * Each stays until the server has its answer: so a page that is closed in between asks it again, and
 * nothing is asked that is answered already. A tab holds a lock on what it shows, so that no other
 * one shows it. Knows no DOM.
 */

import { elapsed, now } from "./clock.js";

const MARGIN = 60_000; // ms: a challenge this close to its end is not shown any more
const PAGE = Math.random().toString(36).slice(2); // what is read of the clocks is of this page

export class Kept {
  #database;
  #isAnswered;
  #locks;
  #project;
  #by;
  #kind;
  #decode;
  #given = new Map(); // token → what ends its lock
  #ready = Promise.resolve();

  /**
   * `decode(challenge, blobs)` resolves to pictures; `isAnswered(token)` says whether an answer to
   * it waits to be sent; `kind` limits what is asked, or is null. `by` is the account that keeps
   * them, "" a visitor, whose become the account's: nobody else is shown them.
   */
  constructor({ database, project, by = "", kind = null, decode, isAnswered, locks = null }) {
    this.#database = database;
    this.#decode = decode;
    this.#isAnswered = isAnswered;
    this.#locks = locks;
    this.#project = project;
    this.#by = by;
    this.#kind = kind;
  }

  /** Keep a challenge that was just issued; its pictures come with `complete`. */
  add(challenge) {
    const record = {
      token: challenge.token,
      project: this.#project,
      by: this.#by,
      challenge,
      pictures: null,
      left: challenge.expires_in * 1000,
      read: readClocks(),
      order: Date.now(),
    };
    return this.#database.put(record);
  }

  /** Add the pictures of a challenge, as blobs in the order of its tiles. */
  async complete(token, pictures) {
    const record = await this.#database.get(token);
    if (record) await this.#database.put({ ...record, pictures });
  }

  /** Return the challenges whose pictures are still to be fetched. */
  async incomplete() {
    return (await this.#records()).filter((r) => !r.pictures).map((r) => r.challenge);
  }

  /** Return how many can be asked, how large they are in bytes, and for how long they are good. */
  async summary() {
    const records = (await this.#records()).filter((record) => this.#isAskable(record));
    const bytes = records.flatMap((r) => r.pictures).reduce((sum, blob) => sum + blob.size, 0);
    const left = records.length ? Math.min(...records.map(remaining)) : 0;
    return { count: records.length, bytes, left };
  }

  /** Return the next challenge with its pictures and deadline, or null; no other tab is given it. */
  async next() {
    await this.#ready;
    for (const record of await this.#records().catch(() => [])) {
      const { token, challenge } = record;
      if (!this.#isAskable(record) || this.#given.has(token)) continue;
      if (this.#kind && challenge.kind !== this.#kind) continue;
      if (!(await this.#hold(token))) continue;
      const pictures = await this.#decode(challenge, record.pictures).catch(() => null);
      if (pictures) return { challenge, pictures, deadline: now() + remaining(record) };
      await this.remove(token); // storage has lost a picture
    }
    return null;
  }

  /** Let a challenge be asked again, here or in another tab. */
  giveBack(token) {
    this.#given.get(token)?.();
    this.#given.delete(token);
  }

  /** Remove a challenge that the server has an answer to, or wants none of. */
  async remove(token) {
    this.giveBack(token);
    await this.#database.delete(token).catch(() => {});
  }

  /**
   * Ask the server which of them can still be answered, and for how long, and drop the others;
   * nothing is asked meanwhile. `list()` resolves to { challenges: [{ token, expires_in }] }; where
   * it fails, all stay.
   */
  refresh(list) {
    this.#ready = this.#refresh(list).catch(() => {});
    return this.#ready;
  }

  async #refresh(list) {
    const records = await this.#records();
    if (!records.length) return;
    const { challenges } = await list();
    const seconds = new Map(challenges.map((each) => [each.token, each.expires_in]));
    for (const record of records) {
      const left = seconds.get(record.token);
      if (left === undefined) await this.remove(record.token);
      else await this.#database.put({ ...record, left: left * 1000, read: readClocks() });
    }
  }

  async #records() {
    const records = await this.#database.all();
    const own = records.filter(
      ({ project, by }) => project === this.#project && (by === this.#by || !by),
    );
    return own.sort((a, b) => a.order - b.order);
  }

  #isAskable(record) {
    return record.pictures && remaining(record) > MARGIN && !this.#isAnswered(record.token);
  }

  /** Hold a challenge until it is given back or the page is closed; return whether it was free. */
  #hold(token) {
    return new Promise((resolve) => {
      const held = new Promise((release) => this.#given.set(token, release));
      if (!this.#locks) return resolve(true);
      const work = (lock) => {
        if (!lock) this.#given.delete(token);
        resolve(Boolean(lock));
        return lock && held;
      };
      const options = { ifAvailable: true };
      this.#locks.request(`tessera.kept.${token}`, options, work).catch(() => resolve(false));
    });
  }
}

/** Return the milliseconds for which a challenge can still be answered, as far as is known. */
function remaining({ left, read }) {
  const current = readClocks();
  if (read.page === current.page) return left - (current.passed - read.passed);
  return left - elapsed({ wall: read.wall, steady: 0 }, { wall: current.wall, steady: 0 });
}

function readClocks() {
  return { page: PAGE, passed: now(), wall: Date.now() };
}
