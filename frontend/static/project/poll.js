/** Read what goes on at the server again and again, until it has ended. */

/**
 * `read()` resolves to the state, `show(state)` returns whether that was the last. In between it
 * waits for `every` milliseconds, and for `first` before it begins. `setLost(isLost)` is called with
 * whether the state could not be read.
 */
export function poll({ read, show, every, first = 0, setLost = () => {} }) {
  async function next() {
    try {
      const state = await read();
      setLost(false);
      if (show(state)) return;
    } catch {
      setLost(true);
    }
    setTimeout(next, every);
  }

  setTimeout(next, first);
}

/** Return the JSON at an address; rejects where there is none, or another page in its place. */
export async function readJson(address) {
  const response = await fetch(address, { headers: { Accept: "application/json" } });
  if (!response.ok || response.redirected) throw new Error(response.statusText);
  return response.json();
}
