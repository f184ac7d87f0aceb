/**
 * An upload in parts, which goes on after a lost connection. Knows no DOM; the API's client is
 * passed in.
 *
 * A source file is `{ path, size, modified, read(start, end) }`, where `read` resolves to a Blob.
 */

const FILES_AT_ONCE = 500; // that one request announces …
const ANNOUNCED_CHARACTERS = 60_000; // … and characters of their paths
const PARTS_AT_ONCE = 100; // that one request sends …
const PART_BYTES_MIN = 256 * 1024; // … and bytes of them, at least, on a slow line
const SLOW = 12_000; // ms that a request may take before the next ones become smaller …
const QUICK = 3_000; // … and before they become larger again
const PAUSE_MAX = 30; // seconds between two attempts
const TRANSIENT = new Set(["offline", "broken", "throttled", "disk_full"]);

export class Upload {
  /** Paths and reasons of what the server refused, or the browser could not read. */
  refused = [];

  #client;
  #begin;
  #imports;
  #name;
  #sources;
  #onProgress;
  #sleep;
  #now;
  #address = "";
  #partBytes = 0;
  #partBytesMax = 0;
  #total = 0;
  #sent = 0;
  #rate = new Rate();
  #stopped = false;

  /**
   * client: the API's; begin: the address of the project's imports, and imports that of all;
   * onProgress: is given `{ phase, sent, total, files, secondsLeft, bytesPerSecond, error,
   * retryIn }`.
   */
  constructor({ client, begin, imports, name, sources, onProgress = () => {}, ...clock }) {
    const { sleep = wait, now = Date.now } = clock;
    this.#client = client;
    this.#begin = begin;
    this.#imports = imports;
    this.#name = name;
    this.#sources = sources;
    this.#onProgress = onProgress;
    this.#sleep = sleep;
    this.#now = now;
    this.#total = sum(sources.map((source) => source.size));
  }

  /** Send all that is missing; return the import. Throws ApiError for what no waiting mends. */
  async run() {
    const record = await this.#try(() => this.#client.post(this.#begin, {
      name: this.#name,
      fingerprint: fingerprint(this.#sources),
      files: this.#sources.length,
      bytes: this.#total,
    }));
    this.id = record.id;
    this.#address = `${this.#imports}${record.id}/`;
    this.#partBytes = this.#partBytesMax = record.part_bytes;
    try {
      await this.#sendAll(await this.#announceAll());
      this.#report("completing");
      return await this.#try(() => this.#client.post(`${this.#address}complete/`));
    } catch (error) {
      if (error.code !== "conflict") throw error;
      const now = await this.#client.get(this.#address);
      if (["uploading", "cancelled"].includes(now.state)) throw error;
      return now; // another window was quicker
    }
  }

  /** Send nothing more. What has come stays on the server. */
  stop() {
    this.#stopped = true;
  }

  /** Stop, and have the server delete what has come. */
  async cancel() {
    this.stop();
    if (this.#address) await this.#client.post(`${this.#address}cancel/`);
  }

  /** Announce the files; return those that are to be sent, with their numbers. */
  async #announceAll() {
    const files = [];
    for (const page of pages(this.#sources)) {
      this.#report("announcing");
      files.push(...(await this.#announce(page)));
    }
    return files;
  }

  async #announce(page) {
    const body = { files: page.map(({ path, size, modified }) => ({ path, size, modified })) };
    const { files } = await this.#try(() => this.#client.post(`${this.#address}files/`, body));
    return files.flatMap(({ number, received, problem }, index) => {
      const source = page[index];
      if (number === null || problem) {
        this.#total -= source.size;
        if (number !== null) this.refused.push({ path: source.path, problem });
        return [];
      }
      this.#sent += received;
      return [{ source, number, received }];
    });
  }

  async #sendAll(files) {
    let queue = files.filter(({ source, received }) => received < source.size);
    while (queue.length) {
      const parts = nextParts(queue, this.#partBytes);
      await this.#send(parts);
      queue = queue.filter(({ source, received }) => received < source.size);
    }
  }

  /** Send parts, and note what has come of their files. */
  async #send(parts) {
    const form = await this.#form(parts);
    if (!form) return;
    const started = this.#now();
    const answer = await this.#try(async () => {
      try {
        return await this.#client.post(`${this.#address}parts/`, form);
      } catch (error) {
        if (error.code === "offline") this.#resize(SLOW);
        if (error.code !== "gap") throw error;
        return this.#look(parts);
      }
    });
    const received = new Map(answer.files.map((file) => [file.number, file.received]));
    let bytes = 0;
    for (const { file } of parts) {
      bytes += received.get(file.number) - file.received;
      file.received = received.get(file.number);
    }
    this.#sent += bytes;
    this.#rate.add(bytes, this.#now() - started);
    this.#resize(this.#now() - started);
    this.#report("sending");
  }

  /** Return what has come of the parts' files, where the server knows better. */
  async #look(parts) {
    const sources = [...new Set(parts.map(({ file }) => file.source))];
    const body = { files: sources.map(({ path, size, modified }) => ({ path, size, modified })) };
    return this.#client.post(`${this.#address}files/`, body);
  }

  /** Return a form with the bytes of the parts, without files that cannot be read any more. */
  async #form(parts) {
    const form = new FormData();
    let count = 0;
    for (const part of [...parts]) {
      const { file, start, end } = part;
      try {
        form.append(`${file.number}@${start}`, await file.source.read(start, end), "part");
        count += 1;
      } catch {
        parts.splice(parts.indexOf(part), 1);
        await this.#giveUp(file);
      }
    }
    return count ? form : null;
  }

  /** Announce a file that cannot be read as empty, so that the others can be imported. */
  async #giveUp(file) {
    if (file.source.size === 0) return;
    const problem = "could not be read: it was moved or changed after it was chosen";
    this.refused.push({ path: file.source.path, problem });
    this.#total -= file.source.size;
    this.#sent -= file.received;
    file.source.size = file.received = 0;
    await this.#announce([file.source]);
  }

  #resize(milliseconds) {
    if (milliseconds >= SLOW) this.#partBytes = Math.max(PART_BYTES_MIN, this.#partBytes / 2);
    if (milliseconds <= QUICK) this.#partBytes = Math.min(this.#partBytesMax, this.#partBytes * 2);
  }

  /** Call until it succeeds, waiting longer each time, where waiting may help. */
  async #try(call) {
    for (let attempt = 0; ; attempt += 1) {
      if (this.#stopped) throw new Stopped();
      try {
        return await call();
      } catch (error) {
        if (!TRANSIENT.has(error.code)) throw error;
        const seconds = Math.min(PAUSE_MAX, Math.max(error.retryAfter ?? 0, 2 ** attempt));
        this.#report("waiting", { error, retryIn: seconds });
        await this.#sleep(seconds * 1000);
      }
    }
  }

  #report(phase, more = {}) {
    this.#onProgress({
      phase,
      sent: this.#sent,
      total: this.#total,
      files: this.#sources.length,
      bytesPerSecond: this.#rate.value,
      secondsLeft: this.#rate.value ? (this.#total - this.#sent) / this.#rate.value : null,
      ...more,
    });
  }
}

/** The upload was stopped by the person. */
export class Stopped extends Error {
  code = "stopped";
}

/** Bytes a second, of the last half minute or so. */
export class Rate {
  #bytes = 0;
  #milliseconds = 0;

  add(bytes, milliseconds) {
    const kept = Math.exp(-milliseconds / 20_000);
    this.#bytes = this.#bytes * kept + bytes;
    this.#milliseconds = this.#milliseconds * kept + Math.max(milliseconds, 1);
  }

  get value() {
    return this.#milliseconds ? (this.#bytes / this.#milliseconds) * 1000 : 0;
  }
}

/** Return what tells one list of files from another: 32 hexadecimal digits, in any order. */
export function fingerprint(sources) {
  const lines = sources.map(({ path, size, modified }) => `${path}\n${size}\n${modified}\n`).sort();
  let [one, two] = [0xdeadbeef, 0x41c6ce57]; // cyrb53, a public-domain hash, twice
  let [three, four] = [0x9e3779b9, 0x85ebca6b];
  for (const line of lines) {
    for (let at = 0; at < line.length; at += 1) {
      const code = line.charCodeAt(at);
      one = Math.imul(one ^ code, 2654435761);
      two = Math.imul(two ^ code, 1597334677);
      three = Math.imul(three ^ code, 2246822519);
      four = Math.imul(four ^ code, 3266489917);
    }
  }
  const digits = [one, two, three, four].map((part) => (part >>> 0).toString(16).padStart(8, "0"));
  return digits.join("");
}

/** Yield the sources a page at a time, as the server takes them. */
function* pages(sources) {
  let page = [];
  let characters = 0;
  for (const source of sources) {
    if (page.length === FILES_AT_ONCE || characters > ANNOUNCED_CHARACTERS) {
      yield page;
      [page, characters] = [[], 0];
    }
    page.push(source);
    characters += source.path.length;
  }
  if (page.length) yield page;
}

/** Return the next parts to send, `bytes` together at most: `{ file, start, end }`. */
function nextParts(queue, bytes) {
  const parts = [];
  let room = bytes;
  for (const file of queue) {
    const start = file.received;
    const end = Math.min(file.source.size, start + room);
    parts.push({ file, start, end });
    room -= end - start;
    if (room <= 0 || parts.length === PARTS_AT_ONCE) break;
  }
  return parts;
}

const sum = (numbers) => numbers.reduce((total, number) => total + number, 0);
const wait = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));
