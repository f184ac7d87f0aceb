/** Small things that are kept on this device: where that works, for as long as it lets them. */

/**
 * Return `localStorage`, which may be forbidden or full: what it does not take is kept for as long as
 * the page, so that writing never fails. `lasts(key)` says whether something outlives the page.
 */
export function safeStorage(window) {
  try {
    const storage = window.localStorage;
    storage.getItem("tessera.probe"); // which may be forbidden
    return overflowing(storage);
  } catch {
    return pageStorage();
  }
}

/** Return a storage that lasts as long as the page. */
export function pageStorage() {
  const items = new Map();
  return {
    keys: () => [...items.keys()],
    getItem: (key) => items.get(key) ?? null,
    setItem: (key, value) => void items.set(key, String(value)),
    removeItem: (key) => void items.delete(key),
    lasts: () => false,
  };
}

/** Return the list that is kept under a key; an empty one where there is none, or what is no list. */
export function readList(storage, key) {
  try {
    const list = JSON.parse(storage.getItem(key) ?? "[]");
    return Array.isArray(list) ? list : [];
  } catch {
    return [];
  }
}

function overflowing(storage) {
  const rest = pageStorage(); // what there is no room for
  return {
    keys: () => [...new Set([...keysOf(storage), ...rest.keys()])],
    getItem: (key) => rest.getItem(key) ?? storage.getItem(key),
    setItem(key, value) {
      try {
        storage.setItem(key, value);
        rest.removeItem(key);
      } catch {
        rest.setItem(key, value);
      }
    },
    removeItem(key) {
      rest.removeItem(key);
      storage.removeItem(key);
    },
    lasts: (key) => rest.getItem(key) === null,
  };
}

function keysOf(storage) {
  return Array.from({ length: storage.length }, (_, index) => storage.key(index));
}
