/** What is kept to be answered offline, in IndexedDB, by token. */

const NAME = "tessera-offline";
const STORE = "challenges";

/** Open it; null where the browser has none, or forbids it. */
export async function openDatabase(factory = globalThis.indexedDB) {
  try {
    const request = factory.open(NAME, 1);
    request.onupgradeneeded = () => request.result.createObjectStore(STORE, { keyPath: "token" });
    return new KeptDatabase(await settled(request));
  } catch {
    return null;
  }
}

/** Delete it with all that it holds; where it is open, it is emptied first. */
export async function deleteDatabase(factory = globalThis.indexedDB) {
  const database = await openDatabase(factory);
  await database?.clear();
  database?.close();
}

class KeptDatabase {
  #database;

  constructor(database) {
    this.#database = database;
    database.onversionchange = () => database.close();
  }

  all() {
    return this.#request("readonly", (store) => store.getAll());
  }

  get(token) {
    return this.#request("readonly", (store) => store.get(token));
  }

  /** Rejects where there is no room. */
  put(record) {
    return this.#request("readwrite", (store) => store.put(record));
  }

  delete(token) {
    return this.#request("readwrite", (store) => store.delete(token));
  }

  clear() {
    return this.#request("readwrite", (store) => store.clear());
  }

  close() {
    this.#database.close();
  }

  /** Resolve to the result of a request once its transaction is complete. */
  #request(mode, act) {
    return new Promise((resolve, reject) => {
      const transaction = this.#database.transaction(STORE, mode);
      const request = act(transaction.objectStore(STORE));
      transaction.oncomplete = () => resolve(request.result);
      transaction.onabort = () => reject(transaction.error ?? request.error);
      transaction.onerror = () => reject(transaction.error ?? request.error);
    });
  }
}

function settled(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
    request.onblocked = () => reject(new Error("blocked"));
  });
}
